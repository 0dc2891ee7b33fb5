"""What all stages share: where things lie, and how a mistake ends."""

import errno
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError

from textbook.errors import UserError
from textbook.params import Params
from textbook.params_file import load_params

DATA = Path("data")
ASSETS = DATA / "assets"
SENTENCES = DATA / "sentences"
CORPUS = DATA / "corpus"
INDEX = DATA / "index"
TASKS = DATA / "tasks"
TEXTBOOKS = DATA / "textbooks"
INIT = DATA / "init"
MODELS = DATA / "models"
EVALUATION = DATA / "evaluation"
REGISTRY = DATA / "registry"
REPORTS = Path("reports")
VALIDATION = REPORTS / "validation"
EXPECTATIONS = Path("pipelines/expectations")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
CACHE = Path(".cache")  # what can be made again, and checkpoints; DVC never deletes it


def textbook_files(task: str, kind: str) -> list[Path]:
    """The textbooks that a student is distilled on, in this order; more than one where the kind has a `+`."""
    return [TEXTBOOKS / task / f"{part}.parquet" for part in kind.split("+")]


def run(stage: Callable[..., None]) -> None:
    """Run a stage with the parameters of `params.yaml` and the words of the command line.

    A mistake that can be told in a line ends it with that line and exit code 1.
    """
    warnings.filterwarnings("ignore", category=FutureWarning)
    if "transformers" in sys.modules:  # its bars for loading and writing weights would drown ours
        sys.modules["transformers"].utils.logging.disable_progress_bar()
    try:
        params: Params = load_params()
        stage(params, *sys.argv[1:])
    except (UserError, OSError, SafetensorError) as error:
        line = told_in_a_line(error)
        if line is None:
            raise
        sys.exit(f"error: {line}")


def told_in_a_line(error: Exception) -> str | None:
    """What to say of a mistake of the user's or of a full disk; None for all else, of which one wants the traceback."""
    if isinstance(error, UserError):
        return str(error)
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, SafetensorError):  # says the number in words only
        number = next((full for full in FULL if f"(os error {full})" in str(error)), None)
    return f"{error}; make room and run it again: what was finished is kept" if number in FULL else None
