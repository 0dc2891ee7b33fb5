"""Splitting general text into sentences."""

import json
import os
import signal
import subprocess
import sys
import time
import unicodedata
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textbook.corpus.sentences import keep_within, sentence_shards, split_sentences, write_sentences
from textbook.errors import UserError
from textbook.files import read_json, sha256
from textbook.params import Corpus, Source
from textbook.tables.files import Part

SOURCE = Source(asset="web", column="text")
BOUNDS = Corpus(sources={}, language="en", min_words=1, max_words=9, max_characters=50, near_duplicates=None)

HARD = {
    "titles and initials": ["Dr. Smith met Mr. T. S. Eliot at 5 p.m. on Jan. 3.", "He left."],
    "abbreviations inside": ["Some, e.g. cats, i.e. felines, purr (see Fig. 3).", "Dogs don't."],
    "abbreviations before a capital": ["The U.S. Senate sued Apple Inc. in St. Louis.", "It lost."],
    "abbreviations at the end": ["I live in the U.S.", "He eats rice, beans, etc.", "We left at 5 p.m."],
    "numbers": ["It grew by 3.5 percent to $4.50.", "Chanel No. 5 costs more."],
    "straight quotes": ['He said, "I am here. You are not."', "Then he left.", '"Why?" she asked.'],
    "curly quotes": ["“Is it you?” she asked.", "“Yes!”", "He didn’t answer."],
    "ellipses": ["Wait... what was that?", "He paused … then went on.", "Really?!"],
    "all lower case": ["i went there.", "it was fine.", "we left"],
    "spoken text": ["so um yeah I think , you know .", "it 's okay .", "right"],
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It works. Does it? Yes!", ["It works.", "Does it?", "Yes!"]),
        ("Dr. Smith met Mr. Jones in the U.S. embassy.", ["Dr. Smith met Mr. Jones in the U.S. embassy."]),
        ("Great film<br /><BR>and great cast", ["Great film", "and great cast"]),
        ("A title\n\nA first\nline of text", ["A title", "A first line of text"]),
        ("  too \t many   blanks ", ["too many blanks"]),
        ("यह अच्छा है। वह नहीं।", ["यह अच्छा है।", "वह नहीं।"]),
        ("很好看。我喜欢！", ["很好看。", "我喜欢！"]),
        ("هل قرأته؟ نعم.", ["هل قرأته؟", "نعم."]),
        ("cafe\u0301", ["café"]),
        (" <br/> \n\n ", []),
        ("", []),
    ],
)
def test_text_is_split_into_clean_sentences(text: str, expected: list[str]) -> None:
    assert list(split_sentences(text, "en")) == expected


@pytest.mark.parametrize("kind", HARD)
def test_hard_cases_are_split_correctly(kind: str) -> None:
    assert list(split_sentences(" ".join(HARD[kind]), "en")) == HARD[kind]


@given(st.text("abZ É.!?…\"'()\n\t,0é。’”\u0301", max_size=60))
def test_splitting_loses_no_character_and_leaves_clean_sentences(text: str) -> None:
    sentences = list(split_sentences(text, "en"))
    whole = unicodedata.normalize("NFC", text)
    assert "".join("".join(sentences).split()) == "".join(whole.split())
    assert all(sentence == " ".join(sentence.split()) != "" for sentence in sentences)


@pytest.mark.parametrize(
    ("sentence", "kept"),
    [
        ("one", False),
        ("one two", True),
        ("a b c", True),
        ("a b c d", False),
        ("ü مرحبا 한국😀..", True),
        ("well-made", True),  # words as in the keywords
        ("one - , !", False),
        ("🙂 one two 🙂", True),
        ("कि की", True),
        ("我喜欢", True),
        ("a 4567890123456", False),
    ],
)
def test_bounds_on_words_and_characters_are_inclusive(sentence: str, kept: bool) -> None:
    bounds = BOUNDS.model_copy(update={"min_words": 2, "max_words": 3, "max_characters": 14})
    assert keep_within(pa.array([sentence]), bounds).to_pylist() == [sentence] * kept


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def split(
    paths: list[Path], folder: Path, *, where: dict[str, str | int] | None = None, code: str = "code", **bounds: Any
) -> dict[str, int]:
    """Split tables, with some values of `BOUNDS` replaced by `bounds`."""
    source = SOURCE.model_copy(update={"where": where or {}})
    parts = {Part(str(path)): sha256(path) for path in paths}
    return write_sentences(parts, folder, source, BOUNDS.model_copy(update=bounds), code)


def sentences_in(folder: Path) -> list[str]:
    return [text for path in sentence_shards(folder) for text in pq.read_table(path)["sentence"].to_pylist()]


def test_all_tables_are_split_in_order_and_counted(tmp_path: Path) -> None:
    first = write_jsonl(tmp_path / "1.jsonl", [{"text": "One is here. Two."}, {"text": None}])
    second = write_jsonl(tmp_path / "2.jsonl", [{"text": "Three is there too."}])
    counts = split([second, first], tmp_path / "out", min_words=3)
    assert sentences_in(tmp_path / "out") == ["Three is there too.", "One is here."]
    assert counts == {"rows": 3, "sentences": 3, "kept": 2}


def test_only_matching_rows_are_split(tmp_path: Path) -> None:
    rows = [{"text": "Wanted text.", "source": "a"}, {"text": "Other text.", "source": "b"}]
    split([write_jsonl(tmp_path / "t.jsonl", rows)], tmp_path / "out", where={"source": "a"})
    assert sentences_in(tmp_path / "out") == ["Wanted text."]


def test_numbers_in_a_text_column_are_text(tmp_path: Path) -> None:
    split([write_jsonl(tmp_path / "t.jsonl", [{"text": 2001}])], tmp_path / "out")
    assert sentences_in(tmp_path / "out") == ["2001"]


def test_text_without_a_sentence_gives_an_empty_shard(tmp_path: Path) -> None:
    (tmp_path / "t.txt").touch()
    assert split([tmp_path / "t.txt"], tmp_path / "out") == {"rows": 0, "sentences": 0, "kept": 0}
    (shard,) = sentence_shards(tmp_path / "out")
    assert pq.read_table(shard).to_pydict() == {"sentence": []}


def test_a_text_of_50_megabytes_is_split_and_its_huge_word_dropped(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("Short one. " * 3_000_000 + "\n" + "A " + "b" * 20_000_000 + "\nThe end.\n")
    assert split([path], tmp_path / "out") == {"rows": 3, "sentences": 3_000_002, "kept": 3_000_001}


def test_a_repeated_file_is_split_once(tmp_path: Path) -> None:
    paths = [write_jsonl(tmp_path / name / "t.jsonl", [{"text": "Same text."}]) for name in ("a", "b")]
    split(paths, tmp_path / "out")
    assert sentences_in(tmp_path / "out") == ["Same text."]


def test_after_a_failure_the_finished_tables_are_not_split_again(tmp_path: Path) -> None:
    good = write_jsonl(tmp_path / "1.jsonl", [{"text": "Fine text."}])
    bad = write_jsonl(tmp_path / "2.jsonl", [{"review": "No such column."}])
    with pytest.raises(UserError, match=r"2\.jsonl: has no column 'text'; it has review"):
        split([good, bad], tmp_path / "out")
    (shard,) = (tmp_path / "out").iterdir()
    before = shard.stat()
    split([good, write_jsonl(bad, [{"text": "Corrected text."}])], tmp_path / "out")
    assert sentences_in(tmp_path / "out") == ["Fine text.", "Corrected text."]
    assert (shard.stat().st_ino, shard.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize(
    "changed",
    [{"min_words": 2}, {"max_characters": 20}, {"language": "de"}, {"where": {"n": 1}}, {"code": "newer"}],
)
def test_changed_settings_replace_all_shards(tmp_path: Path, changed: dict[str, Any]) -> None:
    table = write_jsonl(tmp_path / "1.jsonl", [{"text": "Short. A sentence of six words now.", "n": 1}])
    split([table], tmp_path / "out")
    before = {path.name for path in (tmp_path / "out").iterdir()} - {"sentences.json"}
    split([table], tmp_path / "out", **changed)
    after = {path.name for path in (tmp_path / "out").iterdir()} - {"sentences.json"}
    assert before.isdisjoint(after)
    assert len(after) == 1


SPLIT_ALL = """
import os, sys
from pathlib import Path
from textbook.corpus.sentences import write_sentences
from textbook.params import Corpus, Source
from textbook.tables.files import Part
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
source = Source(asset="web", column="text")
bounds = Corpus(sources={}, language="en", min_words=1, max_words=9, max_characters=50, near_duplicates=None)
parts = {Part(str(path)): path.name for path in sorted(Path(sys.argv[1]).iterdir())}
print(write_sentences(parts, Path(sys.argv[2]), source, bounds, "code"))
"""


def test_a_killed_run_resumes_with_the_next_shard(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(12):
        lines = (f"The sentence number {number} {line} is here.\n" for line in range(30_000))
        (tmp_path / "in" / f"{number:02}.txt").write_text("".join(lines))
    whole, killed = tmp_path / "whole", tmp_path / "killed"

    def start(folder: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", SPLIT_ALL, str(tmp_path / "in"), str(folder)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    expected = start(whole).communicate()[0]
    names = read_json(whole / "sentences.json")["shards"]
    finished: dict[str, int] = {}
    for kill_at in (1, 4, 5):  # finished shards
        process = start(killed)
        while len(list(killed.glob("*.parquet"))) < kill_at:
            assert process.poll() is None
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not (killed / "sentences.json").exists(), "the folder looks complete"
        shards = {path.name: path.stat().st_mtime_ns for path in killed.glob("*.parquet")}
        assert len(shards) < len(names), "the run finished before it was killed"
        assert finished.items() <= shards.items(), "a finished shard was written again"
        assert all(sha256(killed / name) == sha256(whole / name) for name in shards), (
            "an incomplete shard looks complete"
        )
        finished = shards
    assert start(killed).communicate()[0] == expected
    assert all((killed / name).stat().st_mtime_ns == modified for name, modified in finished.items())
    assert [sha256(killed / name) for name in names] == [sha256(whole / name) for name in names]
