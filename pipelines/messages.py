"""What an error tells the user: one line for what they can correct, and a traceback for a bug."""

import errno
import os
import subprocess
import traceback
from contextlib import suppress
from pathlib import Path

from pipelines.paths import CACHE, DATA, REPORTS
from textbook.disk import is_disk_full
from textbook.errors import UserError

LIBRARY_ERRORS = {
    "_csv.Error": "a CSV file cannot be read",
    "_lzma.LZMAError": "a compressed file is damaged",
    "builtins.MemoryError": "there is not enough memory; lower the batch size",
    "builtins.UnicodeDecodeError": "a file is not UTF-8",
    "datasets.exceptions.DatasetsError": "a data set cannot be read",
    "dvc.exceptions.DvcException": "DVC cannot read the project",
    "great_expectations.exceptions.exceptions.GreatExpectationsError": "the data cannot be validated",
    "huggingface_hub.errors.HFValidationError": "there is no such model folder",
    "json.decoder.JSONDecodeError": "a JSON file is damaged",
    "mlflow.exceptions.MlflowException": "MLflow",
    "pyarrow.lib.ArrowException": "a table cannot be read or written",
    "ray.exceptions.RayError": "Ray",
    "ruamel.yaml.error.YAMLError": "a YAML file is damaged",
    "safetensors._safetensors_rust.SafetensorError": "weights cannot be read or written",
    "sqlalchemy.exc.SQLAlchemyError": "the database of MLflow",
    "sqlite3.Error": "a database",
    "subprocess.SubprocessError": "another program failed",
    "torch.OutOfMemoryError": "there is not enough memory on the GPU; lower the batch size",
    "zipfile.BadZipFile": "a zip file is damaged",
    "zlib.error": "a compressed file is damaged",
}
"""What the errors of libraries mean that come from files, services and machines. Classes go by name: importing them
would take seconds."""
TRACEBACK = CACHE / "traceback.txt"


def user_message(error: Exception) -> str | None:
    """The message for an error that the user can fix, on one line; None for a bug, which shows its traceback."""
    if is_disk_full(error):
        return f"{_one_line(error)}; free some disk space and run it again: finished work is kept"
    if isinstance(error, UserError):
        return _one_line(error)
    if isinstance(error, OSError):
        return _system_message(error) + _kept_traceback(error)
    names = [f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__]
    meaning = next((LIBRARY_ERRORS[name] for name in names if name in LIBRARY_ERRORS), None)
    if meaning is None:
        return None
    return f"{meaning}: {_one_line(error) or type(error).__name__}" + _kept_traceback(error)


def _system_message(error: OSError) -> str:
    """The message for an error of the operating system, or of a library about a file."""
    paths = [os.fsdecode(path) for path in (error.filename, error.filename2) if isinstance(path, str | bytes)]
    if not paths or not error.strerror:
        missing = ": no such file" if isinstance(error, FileNotFoundError) and not error.errno else ""
        return (_one_line(error) or type(error).__name__) + missing
    made = error.errno == errno.ENOENT and Path(paths[0]).parts[:1] in ((DATA.name,), (REPORTS.name,))
    return f"{' -> '.join(paths)}: {error.strerror}{'; run `dvc repro` first' if made else ''}"


def _one_line(error: Exception) -> str:
    text = str(error)
    if isinstance(error, subprocess.CalledProcessError) and error.stderr:
        text += f": {error.stderr}"
    return " ".join(filter(None, map(str.strip, text.splitlines())))


def _kept_traceback(error: Exception) -> str:
    """Write the traceback to a file, in case the error is a bug after all, and say where it is."""
    with suppress(OSError):
        CACHE.mkdir(exist_ok=True)
        TRACEBACK.write_text("".join(traceback.format_exception(error)), encoding="utf-8", errors="replace")
        return f" (traceback: {TRACEBACK})"
    return ""
