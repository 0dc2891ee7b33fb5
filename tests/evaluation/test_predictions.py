"""Predictions are read as they were written; damaged files are refused in one line."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from textbook.errors import UserError
from textbook.evaluation.predictions import read_predictions, write_predictions

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("labels", "stored"),
    [(np.array([2, 0, 1, 1]), pa.int64()), (np.array([0.5, 4.2, 3.3, 1.0], np.float32), pa.float64())],
)
def test_labels_and_outputs_are_read_by_seed(tmp_path, labels, stored):
    width = 3 if stored == pa.int64() else 1
    outputs = {seed: RNG.normal(size=(4, width)).astype(np.float32) for seed in (7, 3)}
    path = tmp_path / "predictions.parquet"
    write_predictions(path, labels, outputs)
    schema = pq.read_schema(path)
    assert schema.names == ["seed", "row", "label", "logits"]
    assert schema.types == [pa.int64(), pa.int64(), stored, pa.list_(pa.float32())]
    assert pq.read_table(path)["seed"].to_pylist() == [7] * 4 + [3] * 4
    assert pq.read_table(path)["row"].to_pylist() == [0, 1, 2, 3] * 2
    read_labels, read_outputs = read_predictions(path)
    assert np.array_equal(read_labels, labels)
    assert list(read_outputs) == [7, 3]
    assert all(np.array_equal(ours, outputs[seed]) for seed, ours in read_outputs.items())


def table(**changes):
    columns = {"seed": [0, 0, 1, 1], "row": [0, 1, 0, 1], "label": [1, 0, 1, 0], "logits": [[0.0, 1.0]] * 4}
    return {**columns, **changes}


@pytest.mark.parametrize(
    "wrong",
    [
        {"row": [0, 1, 0, 0]},
        {"row": [1, 0, 1, 0]},
        {"label": [1, 0, 0, 1]},
        {"seed": [0, 1, 0, 1]},
        {"seed": [0, 0, 0, 0]},
        {"logits": [[0.0, 1.0], [0.0], [0.0, 1.0], [0.0, 1.0, 2.0]]},
        {name: [] for name in ("seed", "row", "label", "logits")},
        {"seed": [0, 0, 1], "row": [0, 1, 0], "label": [1, 0, 1], "logits": [[0.0, 1.0]] * 3},
    ],
)
def test_an_incomplete_file_is_refused(tmp_path, wrong):
    path = tmp_path / "predictions.parquet"
    schema = pa.schema({"seed": pa.int64(), "row": pa.int64(), "label": pa.int64(), "logits": pa.list_(pa.float32())})
    pq.write_table(pa.table(table(**wrong), schema), path)
    with pytest.raises(UserError, match=r"predictions.parquet: must have every row once for each seed"):
        read_predictions(path)
    pq.write_table(pa.table(table(), schema), path)
    assert len(read_predictions(path)[1]) == 2


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "predictions.parquet"
    pq.write_table(pa.table({"row": [0]}), path)
    with pytest.raises(UserError, match="must have the columns seed, row, label, logits; it has row"):
        read_predictions(path)
    for damage in (b"", b"PAR1 is not all of it"):
        path.write_bytes(damage)
        with pytest.raises(UserError, match=r"predictions.parquet: cannot be read as Parquet: [^\n]+$"):
            read_predictions(path)
