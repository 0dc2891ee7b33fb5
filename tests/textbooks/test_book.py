"""Writing and reading textbooks."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from textbook.corpus.merge import write_corpus
from textbook.errors import UserError
from textbook.textbooks.book import PAIR_SCHEMA, SCHEMA, read_book, write_book
from textbook.textbooks.leaks import LeakFilter

SENTENCES = ["zero", "one", "two is part of the evaluation", "three", "four", "five"]
NO_LEAKS = LeakFilter([], 4)
LEAK_TWO = LeakFilter(["Two is part of the evaluation."], 4)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A corpus with two sources, in shards of two sentences."""
    paths = {}
    for name, part in {"web": SENTENCES[:3], "book": SENTENCES[3:]}.items():
        paths[name] = tmp_path / f"source-{name}.parquet"
        pq.write_table(pa.table({"sentence": part}), paths[name])
    (tmp_path / "corpus").mkdir()
    write_corpus(paths, tmp_path / "corpus", shard_rows=2)
    return tmp_path / "corpus"


def test_sentences_keep_the_given_order_with_rank_score_and_source(corpus: Path, tmp_path: Path) -> None:
    target = tmp_path / "book.parquet"
    counts = write_book(
        corpus,
        np.array([4, 0, 3]),
        NO_LEAKS,
        target,
        rank=np.array([1, 1, 2], np.int32),
        score=np.array([2.5, 1.5, 3.5], np.float32),
    )
    assert counts == {"sentences": 3, "bytes": len("four\nzero\nthree\n"), "leaks": 0}
    assert pq.read_schema(target).equals(SCHEMA)
    assert pq.read_table(target).to_pylist() == [
        {"sentence": "four", "rank": 1, "score": 2.5, "source": "book"},
        {"sentence": "zero", "rank": 1, "score": 1.5, "source": "web"},
        {"sentence": "three", "rank": 2, "score": 3.5, "source": "book"},
    ]
    assert read_book(target) == (["four", "zero", "three"], None)


def test_rank_and_score_are_null_if_not_given(corpus: Path, tmp_path: Path) -> None:
    write_book(corpus, np.array([5, 1]), NO_LEAKS, tmp_path / "book.parquet")
    book = pq.read_table(tmp_path / "book.parquet")
    assert book.schema.equals(SCHEMA)
    assert (book["rank"].null_count, book["score"].null_count) == (2, 2)


def test_evaluation_sentences_are_left_out_and_counted(corpus: Path, tmp_path: Path) -> None:
    target = tmp_path / "book.parquet"
    rank, score = np.array([1, 2, 3], np.int32), np.array([3, 2, 1], np.float32)
    counts = write_book(corpus, np.array([1, 2, 3]), LEAK_TWO, target, rank=rank, score=score)
    assert counts == {"sentences": 2, "bytes": len("one\nthree\n"), "leaks": 1}
    assert [(row["sentence"], row["rank"]) for row in pq.read_table(target).to_pylist()] == [("one", 1), ("three", 3)]


def test_a_pair_is_left_out_if_either_sentence_is_evaluation_data(corpus: Path, tmp_path: Path) -> None:
    target = tmp_path / "book.parquet"
    rank = np.array([1, 1, 2, 2], np.int32)
    counts = write_book(corpus, np.array([5, 2, 1, 4]), LEAK_TWO, target, partners=np.array([0, 3, 2, 3]), rank=rank)
    assert counts == {"sentences": 4, "bytes": len("five\nzero\nfour\nthree\n"), "leaks": 2}
    assert pq.read_schema(target).equals(PAIR_SCHEMA)
    assert pq.read_table(target).to_pylist() == [
        {"sentence": "five", "sentence2": "zero", "rank": 1, "score": None, "source": "book"},
        {"sentence": "four", "sentence2": "three", "rank": 2, "score": None, "source": "book"},
    ]


@pytest.mark.parametrize("ids", [[], [2]], ids=["nothing retrieved", "evaluation sentences only"])
def test_an_empty_textbook_is_refused(corpus: Path, tmp_path: Path, ids: list[int]) -> None:
    with pytest.raises(UserError, match=r"^book\.parquet: no sentence of .*/corpus is left for this textbook$"):
        write_book(corpus, np.array(ids, np.int64), LEAK_TWO, tmp_path / "book.parquet")
    assert not (tmp_path / "book.parquet").exists()


def test_a_textbook_of_pairs_is_read_as_pairs(tmp_path: Path) -> None:
    rows = [{"sentence": "a", "sentence2": "b", "rank": 0}, {"sentence": "c", "sentence2": "d", "rank": 1}]
    pq.write_table(pa.Table.from_pylist(rows, PAIR_SCHEMA), tmp_path / "book.parquet")
    assert read_book(tmp_path / "book.parquet") == (["a", "c"], ["b", "d"])
