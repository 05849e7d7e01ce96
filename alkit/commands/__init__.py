"""The commands, `python -m alkit report` and others: for teachers and maintainers; the package itself needs none."""

import argparse
import errno
import sys
import tomllib
from importlib import import_module
from pathlib import Path

HOMES = {"handout": "pages", "slides": "pages"}  # the others are in a module of their own


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit status: 0 done, 1 it failed, 2 bad parameters, 130 stopped."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a console may lack letters of a folder's name, a log should show progress
            stream.reconfigure(errors="backslashreplace", line_buffering=True)
    parser = argparse.ArgumentParser(prog="alkit", description="A study kit on active learning.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, own in tomllib.loads(Path(__file__).with_name("options.toml").read_text(encoding="utf-8")).items():
        command = commands.add_parser(name, help=own.pop("help"))
        for kind in (int, float, Path):
            command.register("type", kind.__name__, kind)
        for option, settings in own.items():
            command.add_argument(f"--{option}", **settings)
    options = vars(parser.parse_args(arguments))
    name = options.pop("command")
    try:
        # Imported late, so that --help is quick and the doctor runs where packages are missing.
        done = getattr(import_module(f"alkit.commands.{HOMES.get(name, name)}"), name)(**options)
    except (RuntimeError, ArithmeticError, MemoryError, ValueError, TypeError, OSError, ImportError) as error:
        of_files = isinstance(error, OSError) and (error.filename or error.errno == errno.ENOSPC)
        remedies = ["give another --output, ALKIT_RECORDS or ALKIT_DATA"] * bool(of_files)
        remedies += ["`python -m alkit doctor` says what to do"] * isinstance(error, ImportError)
        print(f"alkit {name}: {error}", *remedies, sep="; ", file=sys.stderr)
        return 1 if isinstance(error, RuntimeError | ArithmeticError | MemoryError) else 2
    except KeyboardInterrupt:
        goes_on = "begins anew" if name == "grade" else "goes on after the last finished run"
        print(f"alkit {name}: stopped; the same command {goes_on}.", file=sys.stderr)
        return 130
    print(f"{name.capitalize()}: {done or 'the kit cannot run yet.'}")
    return 0 if done else 1
