"""Preparing a labelled task as Parquet files with the columns `sentence` (or `sentence1`, `sentence2`) and `label`.

There is one file per split: `train`, `validation`, each further validation split under its own name, and the test split
as `final-test`.
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from textbook.errors import UserError
from textbook.params import Task
from textbook.tables.files import find_tables
from textbook.tasks.labels import class_indices, on_scale
from textbook.tasks.rows import LabelledRows, Place, read_labelled_rows
from textbook.tasks.splits import CLASSES, TEST, TRAIN, VALIDATION, text_columns
from textbook.words import canonical


@dataclass(frozen=True)
class Prepared:
    """What the preparation of a task has written."""

    task: Task
    """The task with its class names, which may come from the data."""
    rows: dict[str, int]
    """The number of rows in each split, `train` first."""
    duplicates: int
    """The number of rows left out of `train`, because their text is also in another split."""
    lacking: dict[str, list[str]]
    """The classes that a validation or test split lacks, by split."""
    places: dict[str, list[Place]]
    """The place in the user's files of each row of each split."""


def prepare_task(name: str, task: Task, source: Path, folder: Path) -> Prepared:
    """Write a Parquet file per split, with class indices as labels.

    Rows of `train` whose text is also in a validation split or the test split are removed, whatever their label; see
    `canonical` for what counts as the same text.

    Raises:
        UserError: there is no validation or test data, a table cannot be read, a label is not allowed, or a class has
            no rows in `train`.
    """
    splits, classes = _read_splits(name, task, source)
    task = _with_classes(name, task, classes, source)
    held_out = {text for split in splits if split != TRAIN for text in _canonical_texts(splits[split])}
    is_new = [text not in held_out for text in _canonical_texts(splits[TRAIN])]
    splits[TRAIN] = splits[TRAIN].take(np.flatnonzero(is_new).tolist())
    if not any(is_new):
        raise UserError(f"tasks.{name}: every text of train is also in {', '.join(s for s in splits if s != TRAIN)}")
    labels = _read_labels(name, task, splits)
    lacking = _check_classes(name, task, labels)
    for split, rows in splits.items():
        columns = zip(text_columns(task), zip(*rows.texts, strict=True), strict=True)
        table = pa.table({name: pa.array(texts, pa.string()) for name, texts in columns})
        table = table.append_column(_label_field(task, labels[split].type), labels[split])
        pq.write_table(table, folder / f"{split}.parquet", compression="zstd")
    return Prepared(
        task,
        {split: len(rows) for split, rows in splits.items()},
        is_new.count(False),
        lacking,
        {split: rows.places for split, rows in splits.items()},
    )


def _read_splits(name: str, task: Task, source: Path) -> tuple[dict[str, LabelledRows], dict[Path, list[str]]]:
    """Read all splits, from their own files or with rows drawn from the training rows.

    Returns:
        The splits, and the class names that each table itself gives.
    """
    tables = find_tables(source, task.files)
    classes: dict[Path, list[str]] = {}

    def read(paths: list[Path]) -> LabelledRows:
        rows = LabelledRows([], [], [])
        for path in paths:
            more, classes[path] = read_labelled_rows(name, task, path)
            rows.extend(more)
        return rows

    test_files: list[Path] = []
    if isinstance(task.test, str):
        test_files = _files_of(name, source, tables, task.test)
        if not test_files:
            raise UserError(f"tasks.{name}.test: {source} has no {task.test} file; add one, or give a number of rows")
    if task.holdout is None:
        files = {split: _files_of(name, source, tables, split) for split in (TRAIN, *task.validation)}
        for split, paths in files.items():
            if not paths:
                raise UserError(f"tasks.{name}: {source} has no {split} file; add one, or set tasks.{name}.holdout")
        names = (TRAIN, VALIDATION, *task.validation[1:])
        splits = {split: read(paths) for split, paths in zip(names, files.values(), strict=True)}
    else:
        others = [path for path in tables if path not in test_files]
        rows = read(_files_of(name, source, tables, TRAIN) or others)
        kept, held_out = _hold_out(rows, task.holdout, task.seed, f"tasks.{name}.holdout")
        splits = {TRAIN: kept, VALIDATION: held_out}
    if test_files:
        splits[TEST] = read(test_files)
    elif isinstance(task.test, (int, float)):
        splits[TRAIN], splits[TEST] = _hold_out(splits[TRAIN], task.test, task.seed, f"tasks.{name}.test")
    return splits, classes


def _hold_out(rows: LabelledRows, size: int | float, seed: int, key: str) -> tuple[LabelledRows, LabelledRows]:
    """Draw rows, and return the others and those that were drawn, each in their order.

    Args:
        size: a number of rows, or a share of them.
        key: the dotted name of the size.

    Raises:
        UserError: no other row is left.
    """
    count = size if isinstance(size, int) else max(1, round(size * len(rows)))
    if count >= len(rows):
        raise UserError(f"{key} = {size}: must be less than its {len(rows)} rows")
    order = np.random.default_rng(seed).permutation(len(rows))
    return rows.take(np.sort(order[count:]).tolist()), rows.take(np.sort(order[:count]).tolist())


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


def _with_classes(name: str, task: Task, classes: dict[Path, list[str]], source: Path) -> Task:
    """The task with class names: its own, or, if it has none, those that the tables give.

    Raises:
        UserError: the tables give none, or different ones.
    """
    if task.labels or task.scale:
        return task
    (first, names), *others = classes.items()
    for path, other in [*others, (first, names)]:
        if not other:
            raise UserError(
                f"tasks.{name}: set `labels` (the classes) or `scale` (the lowest and highest value); column"
                f" {task.label!r} of {path} has no class names"
            )
        if other != names:
            raise UserError(f"tasks.{name}: {path} has the classes {', '.join(other)}, but {first} {', '.join(names)}")
    if "f1" in task.metrics and len(names) > 2:
        raise UserError(f"tasks.{name}.metrics: 'f1' needs two classes; for {len(names)} use 'macro_f1'")
    return task.model_copy(update={"labels": names})


def _canonical_texts(rows: LabelledRows) -> list[tuple[str | None, ...]]:
    """The canonical form of the texts of each row."""
    return [tuple(text if text is None else canonical(text) for text in texts) for texts in rows.texts]


def _read_labels(name: str, task: Task, splits: dict[str, LabelledRows]) -> dict[str, pa.Array]:
    """The labels of each split as numbers."""
    if task.scale:
        return {split: on_scale(name, task.scale, rows.labels, rows.places) for split, rows in splits.items()}
    return class_indices(name, task.outputs, {split: (rows.labels, rows.places) for split, rows in splits.items()})


def _label_field(task: Task, kind: pa.DataType) -> pa.Field:
    """The column `label`, which carries the class names, so that later stages know them."""
    return pa.field("label", kind, metadata={CLASSES: "\n".join(task.labels)} if task.labels else None)


def _check_classes(name: str, task: Task, labels: dict[str, pa.Array]) -> dict[str, list[str]]:
    """Check that every class has rows in `train`; return the classes that each other split lacks."""
    counts = {split: Counter(values.to_pylist()) for split, values in labels.items()}
    lacking: dict[str, list[str]] = {}
    for index, label in enumerate(task.labels or []):
        if not counts[TRAIN][index]:
            in_train = ", ".join(f"{other} {counts[TRAIN][n]:,}" for n, other in enumerate(task.labels or []))
            elsewhere = ", ".join(f"{split} has {counts[split][index]:,}" for split in labels if split != TRAIN)
            raise UserError(f"tasks.{name}: train has no rows of class {label!r} ({elsewhere}); it has {in_train}")
        for split in labels:
            if not counts[split][index]:
                lacking.setdefault(split, []).append(label)
    return lacking
