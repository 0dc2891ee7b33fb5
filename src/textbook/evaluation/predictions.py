"""Predictions: the outputs of a model on every row of a split, once for each seed of its training.

They are what scores are compared by: see `resampling` and `paired`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from textbook.errors import UserError
from textbook.files import atomic_write
from textbook.tasks.splits import TEST, VALIDATION, has_test

PREDICTIONS = "predictions.parquet"  # on the first validation split
TEST_PREDICTIONS = "test-predictions.parquet"  # on the test split
_COLUMNS = ("seed", "row", "label", "logits")


def splits_to_predict(data: Path) -> dict[str, str]:
    """The splits of a prepared task that every model predicts, by the name of the file with its predictions.

    Args:
        data: the folder of the task.
    """
    return {PREDICTIONS: VALIDATION, **({TEST_PREDICTIONS: TEST} if has_test(data) else {})}


def write_predictions(path: Path, labels: NDArray[Any], outputs: Mapping[int, NDArray[np.float32]]) -> None:
    """Write a table with the columns `seed`, `row`, `label` and `logits`, and one line for each seed and row.

    Args:
        labels: class indices, or numbers for a task with a scale [rows].
        outputs: by seed, logits [rows, classes], or predicted numbers [rows, 1]. A model without a seed has the seed 0.
    """
    numbers = np.issubdtype(labels.dtype, np.floating)
    rows = np.arange(len(labels), dtype=np.int64)
    logits = np.concatenate(list(outputs.values())).astype(np.float32)
    ends = np.arange(len(logits) + 1, dtype=np.int32) * logits.shape[1]
    columns = (
        np.repeat(np.array(list(outputs), dtype=np.int64), len(labels)),
        np.tile(rows, len(outputs)),
        np.tile(labels.astype(np.float64 if numbers else np.int64), len(outputs)),
        pa.ListArray.from_arrays(pa.array(ends), pa.array(logits.ravel())),
    )
    with atomic_write(path) as temporary:
        pq.write_table(pa.table(dict(zip(_COLUMNS, columns, strict=True))), temporary)


def read_predictions(path: Path) -> tuple[NDArray[Any], dict[int, NDArray[np.float32]]]:
    """The labels of the rows [rows], and the outputs by seed [rows, outputs], in the order of the file.

    Raises:
        UserError: the file is damaged or incomplete.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read as Parquet: {str(error).splitlines()[0]}") from None
    if tuple(table.column_names) != _COLUMNS:
        raise UserError(f"{path}: must have the columns {', '.join(_COLUMNS)}; it has {', '.join(table.column_names)}")
    seeds, rows, labels = (table[name].to_numpy() for name in _COLUMNS[:3])
    count = int(rows.max(initial=-1)) + 1
    blocks = len(table) // count if count else 0
    logits = table["logits"].combine_chunks()
    width = len(logits.flatten()) // max(1, len(logits))
    whole = (
        blocks > 0
        and np.array_equal(rows, np.tile(np.arange(count), blocks))
        and np.array_equal(labels, np.tile(labels[:count], blocks))
        and np.array_equal(seeds, np.repeat(seeds[::count], count))
        and len(set(seeds[::count].tolist())) == blocks
        and set(logits.value_lengths().to_pylist()) == {width}
    )
    if not whole:
        raise UserError(f"{path}: must have every row once for each seed; remove it and run the stage again")
    outputs = logits.flatten().to_numpy().reshape(blocks, count, width)
    return labels[:count], dict(zip(seeds[::count].tolist(), outputs, strict=True))
