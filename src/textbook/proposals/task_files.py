"""Finding the files of a new task: those that are read, and whether some of them are for validation."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from textbook.assets.walk import check_content, check_link
from textbook.errors import UserError
from textbook.tables.files import find_tables, table_format
from textbook.tasks.splits import TRAIN, VALIDATION

VALIDATION_NAMES = (VALIDATION, "valid", "val", "dev", "eval")
"""What files for validation are usually called, the most usual name first."""
_PART_OF_A_NAME = re.compile(rf"(?:.*[^a-z])?({TRAIN}|{'|'.join(VALIDATION_NAMES)}|test)(?:[^a-z].*)?", re.IGNORECASE)
MOST_NAMES = 5  # that a message lists


@dataclass(frozen=True)
class TaskFiles:
    """The files of a new task."""

    root: Path
    """The file or folder that becomes the asset."""
    tables: list[Path]
    """The tables that the task reads, training data first."""
    validation: str | None
    """The name of the files for validation; None: there are none, so rows have to be held out."""
    notes: list[str]
    """What the user should know about the choice of files."""


def find_task_files(path: Path) -> TaskFiles:
    """Find the files of a new task.

    Beside a file `train.csv` with a file `validation.csv`, the folder is taken instead of the file.

    Args:
        path: a file or a folder.

    Raises:
        UserError: there is no such file, it is no table, or a folder has no tables or several data sets.
    """
    path = Path(os.path.normpath(path))
    check_link(path)
    if not path.exists():
        raise UserError(f"FILE = {str(path)!r}: no such file or folder")
    if path.is_dir():
        return _in_folder(path)
    if not path.is_file():
        raise UserError(f"FILE = {str(path)!r}: must be a file or a folder")
    _check_table(path)
    siblings = [file for file in sorted(path.parent.iterdir()) if file.is_file() and file.suffixes == path.suffixes]
    splits = {_split_of(file): file for file in siblings}
    if _split_of(path) in (TRAIN, *VALIDATION_NAMES) and TRAIN in splits and set(splits) & set(VALIDATION_NAMES):
        return _in_folder(path.parent)
    return TaskFiles(path, [path], None, _notes_on_siblings(path, siblings))


def names_a_split(path: Path) -> bool:
    """Whether a file is called `train`, `validation`, `test` or the like."""
    return _split_of(path).lower() in (TRAIN, *VALIDATION_NAMES, "test")


def _in_folder(folder: Path) -> TaskFiles:
    """The files of a task in a folder."""
    if Path.cwd().is_relative_to(folder.resolve()):  # all of it would be an input of the pipeline
        raise UserError(f"{folder}: contains the project; put the data into a folder of their own")
    tables = find_tables(folder)
    by_split = {split: _of_split(tables, split) for split in (TRAIN, *VALIDATION_NAMES)}
    train = by_split.pop(TRAIN)
    folders = sorted({table.parent for table in train})
    if len(folders) > 1:
        choices = ", ".join(map(str, folders[:MOST_NAMES]))
        raise UserError(f"{folder}: has several data sets; name one of them: FILE={folders[0]} ({choices})")
    validation = next((split for split, files in by_split.items() if train and files), None)
    chosen = train + by_split[validation] if validation else train or tables
    kinds = {table_format(table)[0] for table in chosen}
    if len(kinds) > 1:
        raise UserError(f"{folder}: has files of several formats ({_names(chosen)}); name one: FILE={chosen[0]}")
    for table in chosen:
        _check_table(table)
    return TaskFiles(folder, chosen, validation, _notes_on_folder(tables, chosen, validation))


def _of_split(tables: list[Path], split: str) -> list[Path]:
    """The files of a split, by the names that `prepare_task` knows."""
    return [table for table in tables if _split_of(table) == split or table.parent.name == split]


def _split_of(table: Path) -> str:
    """The name of a file without its format, and without its number as on the hub: `train-00000-of-00002.parquet`."""
    return re.sub(r"-\d+-of-\d+$", "", table.name.split(".")[0])


def _check_table(path: Path) -> None:
    kind, _ = table_format(path)
    if kind == ".txt":
        raise UserError(f"{path}: a text file has no labels; a task needs CSV, TSV, JSONL or Parquet")
    check_content(path)


def _notes_on_siblings(path: Path, siblings: list[Path]) -> list[str]:
    """A note if a file beside looks like the other split of this one, such as `tickets_dev.csv`."""
    own = _PART_OF_A_NAME.fullmatch(_split_of(path))
    others = [file for file in siblings if file != path and _PART_OF_A_NAME.fullmatch(_split_of(file))]
    if not own or not others:
        return []
    end = "".join(path.suffixes)
    return [
        f"only {path.name} is read, but {_names(others)} may belong to it: to use both, name them {TRAIN}{end} and"
        f" {VALIDATION}{end}, in a folder of their own"
    ]


def _notes_on_folder(tables: list[Path], chosen: list[Path], validation: str | None) -> list[str]:
    notes = []
    if validation is None and len(chosen) > 1 and any(_PART_OF_A_NAME.fullmatch(_split_of(file)) for file in chosen):
        end = "".join(chosen[0].suffixes)
        notes.append(
            f"{_names(chosen)} are read as one table: to keep them apart, name them {TRAIN}{end} and {VALIDATION}{end}"
        )
    elif len(chosen) > 1 and validation is None:
        notes.append(f"{len(chosen)} files are read as one table: {_names(chosen)}")
    if left := [table for table in tables if table not in chosen]:
        notes.append(f"not read: {_names(left)}")
    return notes


def _names(files: list[Path]) -> str:
    more = len(files) - MOST_NAMES
    return ", ".join(file.name for file in files[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
