"""`python -m textbook.bundle`: unpack a bundle, and make its cells on this machine."""

from __future__ import annotations  # for a Python that is too old to do more than say so

import argparse
import math
import os
import sys
from contextlib import suppress
from pathlib import Path

from textbook.errors import UserError


def main(words: list[str] | None = None) -> None:
    """Run a command. A user's mistake ends the process with one line and exit code 1."""
    arguments = _parser().parse_args(words)
    try:
        if sys.version_info < (3, 11):  # noqa: UP036 -- the machine of a bundle may have any
            found = ".".join(map(str, sys.version_info[:2]))
            raise UserError(f"this is Python {found}, and a bundle needs 3.11 or newer")
        if arguments.command == "unpack":
            from textbook.bundle.archive import unpack  # an older Python could not even import it

            unpack(arguments.parts, arguments.folder)
            print(f"unpacked; run it with: python -m textbook.bundle run {arguments.folder}")
        else:
            _run(arguments)
    except UserError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {error.filename or ''}: {error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit("stopped; run it again to go on")


def _run(arguments: argparse.Namespace) -> None:
    """Run the bundle with its own code, whatever else is installed.

    Raises:
        UserError: a package is missing; see `run_bundle` for the others.
    """
    folder = arguments.folder.resolve()
    own = folder / "textbook"
    if own.is_dir() and Path(__file__).resolve().parents[1] != own:
        path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
        os.environ["PYTHONPATH"] = path
        os.execv(sys.executable, [sys.executable, "-P", "-m", "textbook.bundle", *sys.argv[1:]])
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # of loading weights, between those of the cells
    try:
        from textbook.bundle.run import run_bundle  # takes seconds to import
    except ModuleNotFoundError as error:
        needed = f"python -m pip install -r {arguments.folder / 'requirements.txt'}"
        raise UserError(f"the package {error.name} is not installed; install what a bundle needs: {needed}") from None
    run_bundle(folder, arguments.hours, arguments.threads, several_runs=arguments.several_runs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m textbook.bundle", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    unpacking = commands.add_parser("unpack", help="join and check the parts of a bundle, and unpack them")
    unpacking.add_argument("parts", nargs="+", type=Path, help="bundle.tar.gz or its parts, with bundle.tar.gz.json")
    unpacking.add_argument("folder", type=Path, help="a new folder")
    running = commands.add_parser("run", help="make the cells of an unpacked bundle, or go on with them")
    running.add_argument("folder", type=Path, help="the folder of the bundle")
    running.add_argument("--hours", type=_hours, help="stop in time before this many hours are over")
    running.add_argument("--threads", type=_threads, help="threads on a CPU; other numbers round otherwise")
    running.add_argument("--several-runs", action="store_true", help="accept hours that are too few for one cell")
    return parser


def _hours(word: str) -> float:
    with suppress(ValueError):
        if 0 < (hours := float(word)) < math.inf:
            return hours
    raise argparse.ArgumentTypeError(f"{word}: must be a number above 0")


def _threads(word: str) -> int:
    with suppress(ValueError):
        if (threads := int(word)) > 0:
            return threads
    raise argparse.ArgumentTypeError(f"{word}: must be a whole number above 0")


if __name__ == "__main__":
    main()
