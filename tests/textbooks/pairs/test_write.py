"""Writing a textbook of pairs: its order, its size, and evaluation data on either side."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from toy_pairs import make_corpus, make_task

from textbook.corpus.merge import write_corpus
from textbook.errors import UserError
from textbook.textbooks.book import MADE_SCHEMA
from textbook.textbooks.leaks import LeakFilter
from textbook.textbooks.pairs.likeness import likeness
from textbook.textbooks.pairs.write import write_paired

TEXTS = make_corpus(300)
IDS = np.random.default_rng(0).permutation(300).astype(np.int64)
GROUPS = np.arange(300) // 20
RANK = np.random.default_rng(1).integers(1, 9, 300).astype(np.int32)
SCORE = np.random.default_rng(2).random(300).astype(np.float32)
WANTED = likeness(*make_task("paraphrase"))
NO_LEAKS = LeakFilter([], 4)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A corpus of several shards, whose ids are the positions in `TEXTS`."""
    for number in range(3):
        part = pa.table({"sentence": TEXTS[number * 100 : number * 100 + 100]})
        pq.write_table(part, tmp_path / f"source-{number}.parquet")
    paths = {f"part{number}": tmp_path / f"source-{number}.parquet" for number in range(3)}
    write_corpus(paths, tmp_path / "corpus", shard_rows=70)
    return tmp_path / "corpus"


def test_pairs_are_in_the_order_of_relevance(corpus: Path, tmp_path: Path) -> None:
    target = tmp_path / "book.parquet"
    counts = write_paired(corpus, IDS, GROUPS, WANTED, NO_LEAKS, target, rank=RANK, score=SCORE)
    book = pq.read_table(target)
    assert book.schema.equals(MADE_SCHEMA)
    assert counts == {"sentences": 300, "bytes": counts["bytes"], "leaks": 0}
    rows = book.to_pylist()
    assert counts["bytes"] == sum(len(row[side].encode()) + 1 for row in rows for side in ("sentence", "sentence2"))
    keys = [(row["rank"], -row["score"]) for row in rows]
    assert keys == sorted(keys)
    place = {TEXTS[number]: place for place, number in enumerate(IDS)}
    for row in rows:  # rank, score and source are those of the sentence that the pair was made for
        long = next(text for text in place if any(row[side].startswith(text) for side in ("sentence", "sentence2")))
        if row["made"] != "real":
            assert (row["rank"], row["score"]) == (RANK[place[long]], SCORE[place[long]])
            assert row["source"] == f"part{TEXTS.index(long) // 100}"


def test_without_ranks_pairs_keep_the_order_of_the_sentences(corpus: Path, tmp_path: Path) -> None:
    write_paired(corpus, IDS, GROUPS, WANTED, NO_LEAKS, tmp_path / "book.parquet")
    book = pq.read_table(tmp_path / "book.parquet")
    assert (book["rank"].null_count, book["score"].null_count) == (150, 150)
    place = {TEXTS[number]: place for place, number in enumerate(IDS)}
    sides = zip(book["sentence"].to_pylist(), book["sentence2"].to_pylist(), strict=True)
    places = [min(place[side] for side in pair if side in place) // 20 for pair in sides]
    assert places == sorted(places)


def test_the_least_relevant_pairs_are_left_out_to_fit_the_size(corpus: Path, tmp_path: Path) -> None:
    write_paired(corpus, IDS, GROUPS, WANTED, NO_LEAKS, tmp_path / "all.parquet", rank=RANK, score=SCORE)
    whole = pq.read_table(tmp_path / "all.parquet")
    target = tmp_path / "book.parquet"
    counts = write_paired(corpus, IDS, GROUPS, WANTED, NO_LEAKS, target, rank=RANK, score=SCORE, most_bytes=9_000)
    book = pq.read_table(target)
    assert 8_000 < counts["bytes"] <= 9_000
    assert book.equals(whole[: book.num_rows])


def test_a_pair_is_left_out_if_either_text_repeats_evaluation_data(corpus: Path, tmp_path: Path) -> None:
    write_paired(corpus, IDS, GROUPS, WANTED, NO_LEAKS, tmp_path / "all.parquet")
    rows = pq.read_table(tmp_path / "all.parquet").to_pylist()
    leaks = LeakFilter([rows[3]["sentence"].upper(), rows[9]["sentence2"]], 1_000)
    counts = write_paired(corpus, IDS, GROUPS, WANTED, leaks, tmp_path / "book.parquet")
    assert counts["leaks"] == 2
    assert pq.read_table(tmp_path / "book.parquet").to_pylist() == [
        row for number, row in enumerate(rows) if number not in (3, 9)
    ]


def test_nothing_to_write_is_refused(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^book\.parquet: no sentence of .*/corpus is left for this textbook$"):
        write_paired(corpus, IDS[:1], GROUPS[:1], WANTED, NO_LEAKS, tmp_path / "book.parquet")
    assert not (tmp_path / "book.parquet").exists()
