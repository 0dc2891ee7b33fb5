"""General text to clean sentences."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textbook.corpus.sentences import split_sentences, within, write_sentences
from textbook.errors import UserError

SETTINGS: dict[str, Any] = {"column": "text", "where": {}, "language": "en", "min_words": 1, "max_words": 9}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It works. Does it? Yes!", ["It works.", "Does it?", "Yes!"]),
        ("Dr. Smith met Mr. Jones in the U.S. embassy.", ["Dr. Smith met Mr. Jones in the U.S. embassy."]),
        ("Great film<br /><BR>and great cast", ["Great film", "and great cast"]),
        ("A title\n\nA first\nline of text", ["A title", "A first line of text"]),
        ("  too \t many   blanks ", ["too many blanks"]),
        ("cafe\u0301", ["café"]),
        (" <br/> \n\n ", []),
        ("", []),
    ],
)
def test_sentences_of(text: str, expected: list[str]) -> None:
    assert list(split_sentences(text, "en")) == expected


@given(st.text("abZ É.!?…\"'()\n\t,0é。’”\u0301", max_size=60))
def test_splitting_loses_no_character_and_leaves_clean_sentences(text: str) -> None:
    sentences = list(split_sentences(text, "en"))
    whole = unicodedata.normalize("NFC", text)
    assert "".join("".join(sentences).split()) == "".join(whole.split())
    assert all(sentence == " ".join(sentence.split()) != "" for sentence in sentences)


@pytest.mark.parametrize(
    ("sentence", "allowed"), [("one", False), ("one two", True), ("a b c", True), ("a b c d", False), ("", False)]
)
def test_bounds_are_inclusive(sentence: str, allowed: bool) -> None:
    assert within(sentence, 2, 3) is allowed


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_all_tables_are_split_in_order_and_counted(tmp_path: Path) -> None:
    first = write_jsonl(tmp_path / "1.jsonl", [{"text": "One is here. Two."}, {"text": None}])
    second = write_jsonl(tmp_path / "2.jsonl", [{"text": "Three is there too."}])
    target = tmp_path / "out.parquet"
    counts = write_sentences([first, second], target, **{**SETTINGS, "min_words": 3})
    assert pq.read_table(target).to_pylist() == [{"sentence": "One is here."}, {"sentence": "Three is there too."}]
    assert counts == {"rows": 3, "sentences": 3, "kept": 2}


def test_only_matching_rows_are_split(tmp_path: Path) -> None:
    rows = [{"text": "Wanted text.", "source": "a"}, {"text": "Other text.", "source": "b"}]
    target = tmp_path / "out.parquet"
    write_sentences([write_jsonl(tmp_path / "t.jsonl", rows)], target, **{**SETTINGS, "where": {"source": "a"}})
    assert pq.read_table(target)["sentence"].to_pylist() == ["Wanted text."]


def test_numbers_in_a_text_column_are_text(tmp_path: Path) -> None:
    target = tmp_path / "out.parquet"
    write_sentences([write_jsonl(tmp_path / "t.jsonl", [{"text": 2001}])], target, **SETTINGS)
    assert pq.read_table(target)["sentence"].to_pylist() == ["2001"]


def test_text_without_a_sentence_gives_an_empty_file_of_the_right_form(tmp_path: Path) -> None:
    target = tmp_path / "out.parquet"
    (tmp_path / "t.txt").touch()
    assert write_sentences([tmp_path / "t.txt"], target, **SETTINGS) == {"rows": 0, "sentences": 0, "kept": 0}
    assert pq.read_table(target).to_pydict() == {"sentence": []}


def test_a_failure_in_a_later_table_leaves_no_file(tmp_path: Path) -> None:
    good = write_jsonl(tmp_path / "1.jsonl", [{"text": "Fine text."}])
    bad = write_jsonl(tmp_path / "2.jsonl", [{"review": "No such column."}])
    with pytest.raises(UserError, match=r"2\.jsonl: has no column 'text'; it has review"):
        write_sentences([good, bad], tmp_path / "out" / "s.parquet", **SETTINGS)
    assert list((tmp_path / "out").iterdir()) == []
