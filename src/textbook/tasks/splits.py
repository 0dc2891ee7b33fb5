"""Reading the splits of a prepared task, and their sentences."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from textbook.params import Task


TRAIN, VALIDATION = "train", "validation"
TEST = "final-test"  # no validation split can have a name with a hyphen
CLASSES = b"classes"
"""Key of the class names in the metadata of the column `label`; there is one name per line."""


def text_columns(task: Task) -> list[str]:
    """The text columns of a prepared task."""
    return ["sentence"] if len(task.text) == 1 else ["sentence1", "sentence2"]


def validation_splits(folder: Path) -> list[str]:
    """The validation splits of a prepared task. The first one selects models."""
    further = sorted({path.stem for path in folder.glob("*.parquet")} - {TRAIN, VALIDATION, TEST})
    return [VALIDATION, *further]


def has_test(folder: Path) -> bool:
    """Whether a prepared task has a test split, which selects nothing."""
    return (folder / f"{TEST}.parquet").is_file()


def evaluation_splits(folder: Path) -> list[str]:
    """All splits of a prepared task that are not for training: the validation splits, and the test split if any."""
    return [*validation_splits(folder), *([TEST] if has_test(folder) else [])]


def with_classes(task: Task, folder: Path) -> Task:
    """The task with its class names: its own, or those of its prepared data if `params.yaml` leaves them out."""
    if task.labels or task.scale:
        return task
    metadata = pq.read_schema(folder / f"{TRAIN}.parquet").field("label").metadata
    return task.model_copy(update={"labels": metadata[CLASSES].decode().split("\n")})


def read_split(folder: Path, split: str) -> pa.Table:
    """Read a split of a prepared task."""
    return pq.read_table(folder / f"{split}.parquet")


def texts(table: pa.Table) -> tuple[list[str], list[str] | None]:
    """The sentences of a split; for a task over pairs, a second list has the second sentences, otherwise it is None."""
    if "sentence" in table.column_names:
        return table["sentence"].to_pylist(), None
    return table["sentence1"].to_pylist(), table["sentence2"].to_pylist()


def sentences(table: pa.Table) -> list[str]:
    """The distinct sentences of a split, in order of appearance. The two sentences of a pair count separately."""
    first, second = texts(table)
    return list(dict.fromkeys([*first, *(second or [])]))


def evaluation_sentences(folder: Path) -> list[str]:
    """The distinct sentences of all validation and test splits. No textbook may contain them."""
    return list(
        dict.fromkeys(text for split in evaluation_splits(folder) for text in sentences(read_split(folder, split)))
    )
