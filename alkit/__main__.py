"""The command line: `python -m alkit report` and `python -m alkit doctor`."""

import argparse
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit status: 0 done, 1 it failed, 2 bad parameters, 130 stopped."""
    parser = argparse.ArgumentParser(prog="alkit", description="A study kit on active learning.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("doctor", help="show what the kit finds on this machine, with advice")
    add = commands.add_parser("report", help="execute all notebooks and write the report as HTML").add_argument
    add("--profile", default="quick", help="quick, cifar10 or the path of a .yaml file")
    add("--seeds", type=int, metavar="N", help="use seeds 0 to N-1")
    add("--device", help="auto, cpu, cuda or mps")
    add("--data", help="digits, cifar10 or the path of an .npz file")
    add("--output", type=Path, metavar="DIR", help="where to write (reports/<profile>)")
    add("--no-code", dest="show_code", action="store_false", help="leave the code out of the pages")
    add("--publish", action="store_true", help="also copy chart and tables to figures/")
    options = vars(parser.parse_args(arguments))
    # Imported late, so that --help is quick and the doctor runs where packages are missing.
    if options.pop("command") == "doctor":
        from alkit.doctor import doctor

        return doctor()
    from alkit.report import ReportError, report

    try:
        print(f"Report: {report(**options)}")
    except (ReportError, ValueError, TypeError, OSError) as error:
        print(f"alkit report: {error}", file=sys.stderr)
        return 1 if isinstance(error, ReportError) else 2
    except KeyboardInterrupt:
        print("alkit report: stopped; the same command goes on after the last finished run.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
