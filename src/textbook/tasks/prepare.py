"""A labelled task as two Parquet files with fixed column names: `sentence` or `sentence1, sentence2`, and `label`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from textbook.errors import UserError
from textbook.params import Task
from textbook.tables import find_tables, read_table

SPLITS = ("train", "validation")


def text_columns(task: Task) -> list[str]:
    """The columns of a prepared task that hold text."""
    return ["sentence"] if len(task.text) == 1 else ["sentence1", "sentence2"]


def prepare_task(name: str, task: Task, source: Path, folder: Path) -> dict[str, int]:
    """Write `train.parquet` and `validation.parquet`; labels become the numbers of `task.labels`.

    Returns:
        Rows of each split.

    Raises:
        UserError: no validation data, a missing column or an unknown label.
    """
    if task.holdout is not None:
        rows = pa.concat_tables([_read(name, task, path) for path in find_tables(source)])
        if task.holdout >= rows.num_rows:
            raise UserError(f"tasks.{name}.holdout = {task.holdout}: must be less than its {rows.num_rows} rows")
        order = np.random.default_rng(task.seed).permutation(rows.num_rows)
        splits = {
            "train": rows.take(np.sort(order[task.holdout :])),
            "validation": rows.take(np.sort(order[: task.holdout])),
        }
    else:
        splits = {split: _read(name, task, _split_file(name, source, split)) for split in SPLITS}
    for split, table in splits.items():
        pq.write_table(table, folder / f"{split}.parquet", compression="zstd")
    return {split: table.num_rows for split, table in splits.items()}


def read_split(folder: Path, split: str) -> pa.Table:
    """A split of a prepared task."""
    return pq.read_table(folder / f"{split}.parquet")


def texts(table: pa.Table) -> tuple[list[str], list[str] | None]:
    """The sentences of a prepared split; the second list is None unless the task is over pairs."""
    if "sentence" in table.column_names:
        return table["sentence"].to_pylist(), None
    return table["sentence1"].to_pylist(), table["sentence2"].to_pylist()


def sentences(table: pa.Table) -> list[str]:
    """All distinct sentences of a split in order of appearance; those of a pair count one by one (the anchors)."""
    first, second = texts(table)
    return list(dict.fromkeys([*first, *(second or [])]))


def _split_file(name: str, source: Path, split: str) -> Path:
    if source.is_dir():
        for path in find_tables(source):
            if path.name.split(".")[0] == split:  # whatever the format and packing
                return path
    raise UserError(f"tasks.{name}: {source} has no {split} file; add one, or set tasks.{name}.holdout")


def _read(name: str, task: Task, path: Path) -> pa.Table:
    rows = read_table(path, [*task.text, task.label], task.where)
    if not rows.num_rows:
        raise UserError(f"tasks.{name}: {path} has no rows" + (f" where {task.where}" if task.where else ""))
    columns: dict[str, Any] = {}
    for target, column in zip(text_columns(task), task.text, strict=True):
        columns[target] = rows[column].cast(pa.string())
    columns["label"] = pa.array(_number_labels(name, task.labels, rows[task.label].to_pylist(), path), pa.int64())
    return pa.table(columns)


def _number_labels(name: str, labels: Sequence[str], values: list[Any], path: Path) -> list[int]:
    numbers: dict[Any, int] = {label: number for number, label in enumerate(labels)}
    allowed = ", ".join(labels)
    if all(label.isdecimal() for label in labels):  # read from CSV, a name such as "5" is the number 5
        numbers |= {int(label): number for number, label in enumerate(labels)}
    else:
        numbers |= {number: number for number in range(len(labels))}
        allowed += f" or 0 to {len(labels) - 1}"
    for row, value in enumerate(values):
        if value not in numbers:
            raise UserError(f"tasks.{name}: {path}, row {row}: label {value!r} is not one of {allowed}")
    return [numbers[value] for value in values]
