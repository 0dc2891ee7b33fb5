"""The condition `where`."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from toy_tables import WRITERS, read, refusal

ROWS = [
    {"text": "0", "label": 0, "share": 0.5, "source": "web", "checked": True},
    {"text": "1", "label": 1, "share": 1.0, "source": "book", "checked": False},
    {"text": "2", "label": 1, "share": 1.5, "source": "true", "checked": True},
]


@pytest.fixture(params=WRITERS)
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"table.{request.param}"
    WRITERS[request.param](path, ROWS)
    return path


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ({"source": "web"}, [0]),
        ({"source": "true"}, [2]),
        ({"label": 1}, [1, 2]),
        ({"label": 1.0}, [1, 2]),
        ({"share": 1}, [1]),
        ({"share": 1.5}, [2]),
        ({"checked": True}, [0, 2]),
        ({"checked": False}, [1]),
        ({"source": ["web", "book"]}, [0, 1]),
        ({"label": [0, 7], "checked": True}, [0]),
        ({"source": "web", "label": 1}, []),
        ({"label": 7}, []),
    ],
)
def test_only_rows_that_match_all_conditions_are_read(table: Path, where: Any, kept: list[int]) -> None:
    assert read(table, ["text", "source"], where=where) == [
        {"text": ROWS[row]["text"], "source": ROWS[row]["source"]} for row in kept
    ]


@pytest.mark.parametrize(
    ("key", "value", "contents"),
    [
        ("label", "1", "numbers"),
        ("source", 1, "text"),
        ("label", True, "numbers"),
        ("checked", 1, "true and false"),
        ("checked", "true", "true and false"),
    ],
)
def test_a_condition_that_cannot_match_is_refused(tmp_path: Path, key: str, value: Any, contents: str) -> None:
    for name in ("a.parquet", "a.jsonl"):
        WRITERS[name.partition(".")[2]](tmp_path / name, ROWS)
        reason = refusal(tmp_path / name, where={key: value})
        assert reason == f"where {key} = {value!r} cannot match, because the column contains {contents}"


@pytest.mark.parametrize(("key", "value"), [("source", 1), ("source", False), ("label", True)])
def test_text_of_csv_that_is_not_written_like_a_value_is_refused(tmp_path: Path, key: str, value: Any) -> None:
    WRITERS["csv"](tmp_path / "a.csv", ROWS[:2])
    assert "cannot match, because the column contains text" in refusal(tmp_path / "a.csv", where={key: value})


def test_a_column_of_categories_can_be_filtered(tmp_path: Path) -> None:
    columns = {"text": ["a", "b"], "word": pa.array(["x", "y"]).dictionary_encode()}
    columns["number"] = pa.array([3, 4]).dictionary_encode()
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet", ["text"], where={"word": "y", "number": 4}) == [{"text": "b"}]


def test_rows_without_the_key_do_not_match(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"  # the key occurs after 4 MiB, so the first blocks of the file do not have it
    path.write_text('{"text": "no"}\n' * 300_000 + '{"text": "yes", "good": 1}\n{"text": "null", "good": null}\n')
    assert read(path, ["text"], where={"good": 1}) == [{"text": "yes"}]
