"""Reading Parquet: types, class names, and files that have other rows than they say."""

from decimal import Decimal
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from toy_tables import read, read_texts, refusal

from textbook.tables.parquet import class_names


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["a", "b"]).dictionary_encode(),
        pa.array(["a", "b"], pa.large_string()),
        pa.array(["a", "b"], pa.string_view()),
    ],
)
def test_text_of_every_type_is_read(tmp_path: Path, column: pa.Array) -> None:
    pq.write_table(pa.table({"text": column}), tmp_path / "a.parquet")
    assert read_texts(tmp_path / "a.parquet") == ["a", "b"]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (pa.array([Decimal("1.50"), Decimal("2.00")]), [Decimal("1.50"), Decimal("2.00")]),
        (pa.array([1, 0], pa.uint8()), [1, 0]),
        (pa.array([1.0, 0.5], pa.float16()), [1.0, 0.5]),
        (pa.array([3, 4]).dictionary_encode(), [3, 4]),
    ],
)
def test_values_are_as_the_file_has_them(tmp_path: Path, column: pa.Array, values: list[object]) -> None:
    pq.write_table(pa.table({"a.b": column}), tmp_path / "a.parquet")
    assert [row["a.b"] for row in read(tmp_path / "a.parquet", ["a.b"])] == values


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(1)])
def test_bytes_are_refused(tmp_path: Path, kind: pa.DataType) -> None:
    pq.write_table(pa.table({"text": pa.array([b"a"], kind)}), tmp_path / "a.parquet")
    assert "not text in UTF-8 or numbers" in refusal(tmp_path / "a.parquet")


def test_lists_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [["a"]]}), tmp_path / "a.parquet")
    assert refusal(tmp_path / "a.parquet").startswith("column 'text' contains list<")


def test_other_columns_may_have_any_type(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"], "vector": [[1.0, 2.0]], "raw": [b"\xff"]}), tmp_path / "a.parquet")
    assert read_texts(tmp_path / "a.parquet") == ["a"]


def test_class_names_are_those_of_a_class_label(tmp_path: Path) -> None:
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
    )
    rows = datasets.Dataset.from_dict({"text": ["a"], "label": [1]}, features=features)
    rows.to_parquet(str(tmp_path / "a.parquet"))
    assert class_names(tmp_path / "a.parquet", "label") == ["bad", "good"]
    assert class_names(tmp_path / "a.parquet", "text") is None
