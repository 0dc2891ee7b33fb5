"""Reading JSONL."""

import json
from pathlib import Path

import pytest
from toy_tables import read, read_texts, refusal

REMEDY = "write one object per line: jq -c '.[]' FILE"


def test_only_the_named_keys_matter(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"text": "a", "meta": "none", "meta": 2}\n{"meta": {"text": "x"}, "text": "b"}\n'
        '\n  \n{"text": "c", "new": [1]}\n'
    )
    assert read_texts(path) == ["a", "b", "c"]


def test_a_key_may_be_missing_in_some_rows_and_have_values_of_several_types(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "label": "0"}\n{"text": "b", "label": 1}\n{"text": "c"}\n')
    assert [row["label"] for row in read(path, ["text", "label"])] == ["0", 1, None]


def test_blocks_may_differ_in_their_types(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    labels = [None, 1, "two", 2.5]
    path.write_text("".join(json.dumps({"text": "x" * 3_000_000, "label": label}) + "\n" for label in labels))
    assert [row["label"] for row in read(path, ["label"])] == labels


def test_other_keys_may_have_what_python_writes(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "share": NaN}\n{"text": "b", "share": -Infinity, "name": "\\ud83d"}\n')
    assert read_texts(path) == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"text": "a"}\n{"text": "b"\n', r"row 1 (line 2): is not JSON (unexpected end of data, column 13)"),
        (
            '\n{"text": "a"}\n["b"]\n',
            f"row 1 (line 3): is an array, not a JSON object; {REMEDY}",
        ),
        ('"a"\n', "row 0 (line 1): is a string, not a JSON object"),
        ('{"text": "a", "text": "b"}\n', "row 0 (line 1): has the key 'text' twice"),
        ('{"text": "a"}{"text": "b"}\n', "row 0 (line 1): is not JSON (unexpected content after document, column 14)"),
        ('{"text": "\\ud83d"}\n', "row 0 (line 1): is not JSON (no low surrogate in string, column 11)"),
        ("null\n", "row 0 (line 1): is null, not a JSON object"),
        ("\n \n", "is empty"),
        ('{"body": "a", "n": 1}\n', "has no column 'text'; it has body, n"),
    ],
)
def test_a_line_that_is_no_object_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(content)
    assert refusal(path) == reason
