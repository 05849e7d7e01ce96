"""The command line: `python -m alkit report`, `tune`, `handout`, `slides` and `doctor`."""

import argparse
import sys
from importlib import import_module
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit status: 0 done, 1 it failed, 2 bad parameters, 130 stopped."""
    parser = argparse.ArgumentParser(prog="alkit", description="A study kit on active learning.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("doctor", help="show what the kit finds on this machine, with advice")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--profile", default="quick", help="quick, cifar10, replay or the path of a .yaml file")
    shared.add_argument("--device", help="auto, cpu, cuda or mps")
    shared.add_argument("--data", help="digits, cifar10 or the path of an .npz file")
    add = commands.add_parser(
        "report", parents=[shared], help="execute all notebooks and write the report as HTML"
    ).add_argument
    add("--seeds", type=int, metavar="N", help="use seeds 0 to N-1")
    add("--jobs", type=int, default=1, metavar="N", help="do N runs at a time, each in a process (1)")
    add("--cluster", metavar="ADDRESS", help="do the runs on the workers of this dask scheduler")
    add("--output", type=Path, metavar="DIR", help="where to write (reports/<profile>)")
    add("--no-code", dest="show_code", action="store_false", help="leave the code out of the pages")
    add("--publish", action="store_true", help="also put chart, tables and runs into figures/")
    add = commands.add_parser(
        "tune", parents=[shared], help="search hyper-parameters and write what was found as a profile"
    ).add_argument
    add("--experiments", nargs="+", metavar="NAME", default=argparse.SUPPRESS, help="search for these (all six)")
    add("--trials", dest="n_trials", type=int, metavar="N", help="recipes to try for each experiment")
    add("--fidelity", type=float, metavar="SHARE", help="train each trial for this share of the epochs")
    add("--storage", metavar="URL", help="database of the trials, which several machines may share (a file)")
    add("--output", type=Path, required=True, metavar="FILE.yaml", help="the profile to write")
    add = commands.add_parser("handout", help="write the notebooks without their solutions").add_argument
    add("--output", type=Path, required=True, metavar="DIR", help="the folder to write to")
    add = commands.add_parser("slides", help="write slides of the notebooks that a report executed").add_argument
    add("--profile", default="quick", help="the report's profile (quick)")
    add("--output", type=Path, metavar="DIR", help="the folder to write to (reports/<profile>/slides)")
    add("--no-code", dest="show_code", action="store_false", help="leave the code out of the slides")
    options = vars(parser.parse_args(arguments))
    # Imported late, so that --help is quick and the doctor runs where packages are missing.
    command = options.pop("command")
    if command == "doctor":
        from alkit.doctor import doctor

        return doctor()
    modules = {"report": "report", "tune": "tuning", "handout": "course", "slides": "course"}
    try:
        from alkit.report import ReportError

        run = getattr(import_module(f"alkit.{modules[command]}"), command)
    except ImportError as error:
        print(f"alkit {command}: {error}; `python -m alkit doctor` says what to do.", file=sys.stderr)
        return 2
    try:
        done = run(**options)
        print(f"{command.capitalize()}: {done}")
    except (ReportError, FloatingPointError, RuntimeError, ValueError, TypeError, OSError, ImportError) as error:
        print(f"alkit {command}: {error}", file=sys.stderr)
        return 1 if isinstance(error, ReportError | FloatingPointError | RuntimeError) else 2
    except KeyboardInterrupt:
        print(f"alkit {command}: stopped; the same command goes on after the last finished run.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
