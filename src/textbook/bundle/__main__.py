"""`python -m textbook.bundle`: unpack a bundle, and make its cells on this machine."""

import argparse
import math
import os
import sys
from contextlib import suppress
from pathlib import Path

from textbook.bundle.archive import unpack
from textbook.errors import UserError


def main(words: list[str] | None = None) -> None:
    """Run a command. A user's mistake ends the process with one line and exit code 1."""
    arguments = _parser().parse_args(words)
    try:
        if arguments.command == "unpack":
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
    """Run the bundle with its own code, whatever else is installed."""
    folder = arguments.folder.resolve()
    own = folder / "textbook"
    if own.is_dir() and Path(__file__).resolve().parents[1] != own:
        path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
        os.environ["PYTHONPATH"] = path
        os.execv(sys.executable, [sys.executable, "-P", "-m", "textbook.bundle", *sys.argv[1:]])
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from textbook.bundle.run import run_bundle  # takes seconds to import

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
