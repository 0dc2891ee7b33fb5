"""A labelled task as Parquet files with fixed column names: `sentence` or `sentence1, sentence2`, and `label`.

There is one for each split: `train`, `validation`, and any further split to validate on under its own name.
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
from textbook.tables import find_tables, read_table
from textbook.tasks.labels import read_labels

TRAIN, VALIDATION = "train", "validation"


def text_columns(task: Task) -> list[str]:
    """The columns of a prepared task that hold text."""
    return ["sentence"] if len(task.text) == 1 else ["sentence1", "sentence2"]


def prepare_task(name: str, task: Task, source: Path, folder: Path) -> dict[str, int]:
    """Write a Parquet file for each split; the labels of classes become their numbers.

    Rows of `train` whose text is also validated on, whatever their label, are left out.

    Returns:
        Rows of each split, and as `duplicates` how many were left out.

    Raises:
        UserError: no validation data, a missing column, a label that is none of the task's, or a class without a row
            in `train`.
    """
    splits = _read_splits(name, task, source)
    columns = text_columns(task)
    held_out = {row for split in splits if split != TRAIN for row in _rows(splits[split], columns)}
    fresh = [row not in held_out for row in _rows(splits[TRAIN], columns)]
    splits[TRAIN] = splits[TRAIN].filter(pa.array(fresh))
    if not any(fresh):
        raise UserError(f"tasks.{name}: every text of train is also in {', '.join(s for s in splits if s != TRAIN)}")
    _check_classes(name, task, splits)
    for split, table in splits.items():
        pq.write_table(table, folder / f"{split}.parquet", compression="zstd")
    return {split: table.num_rows for split, table in splits.items()} | {"duplicates": fresh.count(False)}


def validation_splits(folder: Path) -> list[str]:
    """The splits of a prepared task that are validated on, the one that decides first."""
    further = sorted({path.stem for path in folder.glob("*.parquet")} - {TRAIN, VALIDATION})
    return [VALIDATION, *further]


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


def evaluation_sentences(folder: Path) -> list[str]:
    """All distinct sentences that a prepared task is validated on: no textbook may hold them."""
    return list(
        dict.fromkeys(one for split in validation_splits(folder) for one in sentences(read_split(folder, split)))
    )


def _read_splits(name: str, task: Task, source: Path) -> dict[str, pa.Table]:
    tables = find_tables(source, task.files)
    if task.holdout is None:
        files = {split: _files_of(name, source, tables, split) for split in (TRAIN, *task.validation)}
        for split, found in files.items():
            if not found:
                raise UserError(f"tasks.{name}: {source} has no {split} file; add one, or set tasks.{name}.holdout")
        names = (TRAIN, VALIDATION, *task.validation[1:])
        return {
            split: pa.concat_tables([_read(name, task, path) for path in found])
            for split, found in zip(names, files.values(), strict=True)
        }
    rows = pa.concat_tables([_read(name, task, path) for path in _files_of(name, source, tables, TRAIN) or tables])
    held = task.holdout if isinstance(task.holdout, int) else max(1, round(task.holdout * rows.num_rows))
    if held >= rows.num_rows:
        raise UserError(f"tasks.{name}.holdout = {task.holdout}: must be less than its {rows.num_rows} rows")
    order = np.random.default_rng(task.seed).permutation(rows.num_rows)
    return {TRAIN: rows.take(np.sort(order[held:])), VALIDATION: rows.take(np.sort(order[:held]))}


def _files_of(name: str, source: Path, tables: list[Path], split: str) -> list[Path]:
    """The files of a split: `train.csv`, or as on the hub `train-00000-of-00002.parquet` or `train/0000.parquet`."""
    if source.is_file():
        return []
    stem = re.compile(rf"{re.escape(split)}(-\d+-of-\d+)?")
    found = [path for path in tables if stem.fullmatch(path.name.split(".")[0]) or path.parent.name == split]
    folders = sorted({str(path.parent.relative_to(source)) for path in found})
    if len(folders) > 1:
        raise UserError(
            f"tasks.{name}: {source} has {split} files in the folders {', '.join(folders)};"
            f" choose one by tasks.{name}.files, such as {folders[0]}/*"
        )
    return found


def _read(name: str, task: Task, path: Path) -> pa.Table:
    rows = read_table(path, [*task.text, task.label], task.where, texts=task.text)
    if not rows.num_rows:
        raise UserError(f"tasks.{name}: {path} has no rows" + (f" where {task.where}" if task.where else ""))
    columns = {target: _as_text(rows[column]) for target, column in zip(text_columns(task), task.text, strict=True)}
    return pa.table({**columns, "label": read_labels(name, task, rows[task.label].to_pylist(), path)})


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers as text; what is not a number is no text either."""
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    return column.cast(pa.string())


def _rows(table: pa.Table, columns: list[str]) -> list[tuple[str, ...]]:
    return list(zip(*(table[column].to_pylist() for column in columns), strict=True))


def _check_classes(name: str, task: Task, splits: dict[str, pa.Table]) -> None:
    """Refuse a class that nothing can be learnt about."""
    counts = {split: Counter(table["label"].to_pylist()) for split, table in splits.items()}
    for number, label in enumerate(task.labels or []):
        if not counts[TRAIN][number]:
            there = ", ".join(f"{other} {counts[TRAIN][n]:,}" for n, other in enumerate(task.labels or []))
            elsewhere = ", ".join(f"{split} has {counts[split][number]:,}" for split in splits if split != TRAIN)
            raise UserError(f"tasks.{name}: train has no row of class {label!r} ({elsewhere}); it has {there}")
