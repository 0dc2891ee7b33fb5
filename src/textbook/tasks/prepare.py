"""Preparing a labelled task as Parquet files with the columns `sentence` (or `sentence1`, `sentence2`) and `label`.

There is one file per split: `train`, `validation`, and each further validation split under its own name.
"""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from textbook.errors import UserError
from textbook.params import Task
from textbook.tables.files import find_tables
from textbook.tables.read import read_table
from textbook.tasks.labels import read_labels
from textbook.tasks.splits import TRAIN, VALIDATION, text_columns


def prepare_task(name: str, task: Task, source: Path, folder: Path) -> dict[str, int]:
    """Write a Parquet file per split, with class indices as labels.

    Rows of `train` whose text also occurs in a validation split are removed, whatever their label.

    Returns:
        The number of rows in each split, and the number of removed rows as `duplicates`.

    Raises:
        UserError: there is no validation data, a column is missing, a label is not allowed, or a class has no rows in
            `train`.
    """
    splits = _read_splits(name, task, source)
    columns = text_columns(task)
    held_out = {row for split in splits if split != TRAIN for row in _rows(splits[split], columns)}
    is_new = [row not in held_out for row in _rows(splits[TRAIN], columns)]
    splits[TRAIN] = splits[TRAIN].filter(pa.array(is_new))
    if not any(is_new):
        raise UserError(f"tasks.{name}: every text of train is also in {', '.join(s for s in splits if s != TRAIN)}")
    _check_classes(name, task, splits)
    for split, table in splits.items():
        pq.write_table(table, folder / f"{split}.parquet", compression="zstd")
    return {split: table.num_rows for split, table in splits.items()} | {"duplicates": is_new.count(False)}


def _read_splits(name: str, task: Task, source: Path) -> dict[str, pa.Table]:
    """Read all splits: from their own files, or with a hold-out drawn from the training rows."""
    tables = find_tables(source, task.files)
    if task.holdout is None:
        files = {split: _files_of(name, source, tables, split) for split in (TRAIN, *task.validation)}
        for split, paths in files.items():
            if not paths:
                raise UserError(f"tasks.{name}: {source} has no {split} file; add one, or set tasks.{name}.holdout")
        names = (TRAIN, VALIDATION, *task.validation[1:])
        return {
            split: pa.concat_tables([_read(name, task, path) for path in paths])
            for split, paths in zip(names, files.values(), strict=True)
        }
    rows = pa.concat_tables([_read(name, task, path) for path in _files_of(name, source, tables, TRAIN) or tables])
    count = task.holdout if isinstance(task.holdout, int) else max(1, round(task.holdout * rows.num_rows))
    if count >= rows.num_rows:
        raise UserError(f"tasks.{name}.holdout = {task.holdout}: must be less than its {rows.num_rows} rows")
    order = np.random.default_rng(task.seed).permutation(rows.num_rows)
    return {TRAIN: rows.take(np.sort(order[count:])), VALIDATION: rows.take(np.sort(order[:count]))}


def _files_of(name: str, source: Path, tables: list[Path], split: str) -> list[Path]:
    """The files of a split: `train.csv`, or, as on the hub, `train-00000-of-00002.parquet` or `train/0000.parquet`."""
    if source.is_file():
        return []
    stem = re.compile(rf"{re.escape(split)}(-\d+-of-\d+)?")
    files = [path for path in tables if stem.fullmatch(path.name.split(".")[0]) or path.parent.name == split]
    folders = sorted({str(path.parent.relative_to(source)) for path in files})
    if len(folders) > 1:
        raise UserError(
            f"tasks.{name}: {source} has {split} files in the folders {', '.join(folders)};"
            f" select one with tasks.{name}.files, such as {folders[0]}/*"
        )
    return files


def _read(name: str, task: Task, path: Path) -> pa.Table:
    """Read the rows of one file, with the column names of a prepared task and with converted labels."""
    rows = read_table(path, [*task.text, task.label], task.where, texts=task.text)
    if not rows.num_rows:
        raise UserError(f"tasks.{name}: {path} has no rows" + (f" where {task.where}" if task.where else ""))
    columns = {target: _as_text(rows[column]) for target, column in zip(text_columns(task), task.text, strict=True)}
    return pa.table({**columns, "label": read_labels(name, task, rows[task.label].to_pylist(), path)})


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as text; NaN becomes null."""
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    return column.cast(pa.string())


def _rows(table: pa.Table, columns: list[str]) -> list[tuple[str, ...]]:
    """The texts of each row."""
    return list(zip(*(table[column].to_pylist() for column in columns), strict=True))


def _check_classes(name: str, task: Task, splits: dict[str, pa.Table]) -> None:
    """Check that every class has rows in `train`."""
    counts = {split: Counter(table["label"].to_pylist()) for split, table in splits.items()}
    for index, label in enumerate(task.labels or []):
        if not counts[TRAIN][index]:
            in_train = ", ".join(f"{other} {counts[TRAIN][n]:,}" for n, other in enumerate(task.labels or []))
            elsewhere = ", ".join(f"{split} has {counts[split][index]:,}" for split in splits if split != TRAIN)
            raise UserError(f"tasks.{name}: train has no rows of class {label!r} ({elsewhere}); it has {in_train}")
