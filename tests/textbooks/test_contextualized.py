"""The contextualized corpus: the union of what all anchors retrieve, against brute force."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import make_sentences
from textbook.params import Index as Settings
from textbook.retrieval.engines import build_index, open_index
from textbook.retrieval.hits import Hits, Index
from textbook.retrieval.rake import query
from textbook.textbooks import contextualized
from textbook.textbooks.contextualized import UNSEEN, Merged, retrieve

PHRASES = 20
Best = dict[int, tuple[int, float]]  # rank and score by id

word = st.sampled_from(["plot", "film", "cast", "Paris", "zebra", "the", "is"])
some_text = st.lists(word, min_size=1, max_size=6).map(" ".join)
corpora = st.lists(some_text, min_size=1, max_size=25)
anchor_lists = st.lists(st.one_of(some_text, st.sampled_from(["unheard words", "It is.", "..."])), max_size=12)


def make_index(folder: Path, corpus: list[str]) -> Index:
    build_index([corpus], folder / "index", Settings(engine="bm25s", k1=1.2, b=0.75), "hash")
    return open_index(folder / "index", "hash")


def union(index: Index, anchors: list[str], k: int) -> Best:
    """What the anchors retrieve one by one: the best rank of each sentence, and the highest score at it."""
    best: Best = {}
    for anchor in anchors:
        hits = index.search([query(anchor, PHRASES)[0]], k)
        for place in range(hits.counts[0]):
            number, found = int(hits.ids[0, place]), (place + 1, float(hits.scores[0, place]))
            rank, score = best.get(number, found)
            best[number] = min((rank, score), found, key=lambda hit: (hit[0], -hit[1]))
    return best


def as_best(merged: Merged) -> Best:
    return {int(number): (int(merged.rank[number]), float(merged.score[number])) for number in merged.order()}


@settings(max_examples=40, deadline=None)
@given(corpora, anchor_lists, st.integers(1, 30), st.integers(1, 13))
def test_the_result_is_the_union_over_the_anchors_in_order_of_rank_score_and_id(
    corpus: list[str], anchors: list[str], k: int, batch: int
) -> None:
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(contextualized, "ANCHOR_BATCH", batch)
        index = make_index(Path(name), corpus)
        merged = retrieve(index, anchors, k=k, phrases=PHRASES)
        best = union(index, anchors, k)
    assert as_best(merged) == best
    assert merged.order().tolist() == sorted(best, key=lambda number: (best[number][0], -best[number][1], number))
    unseen = np.setdiff1d(np.arange(len(corpus)), merged.order())
    assert (merged.rank[unseen] == UNSEEN).all()


@settings(max_examples=30, deadline=None)
@given(corpora, anchor_lists, st.integers(1, 10), st.integers(0, 10))
def test_a_smaller_k_gives_exactly_the_sentences_up_to_that_rank(
    corpus: list[str], anchors: list[str], small: int, more: int
) -> None:
    with TemporaryDirectory() as name:
        index = make_index(Path(name), corpus)
        few, many = (retrieve(index, anchors, k=k, phrases=PHRASES) for k in (small, small + more))
    order = many.order()
    prefix = order[many.rank[order] <= small]
    assert few.order().tolist() == prefix.tolist() == order[: len(prefix)].tolist()
    assert few.score[prefix].tolist() == many.score[prefix].tolist()


@settings(max_examples=25, deadline=None)
@given(corpora, anchor_lists, st.randoms(use_true_random=False))
def test_the_order_of_the_anchors_does_not_matter(corpus: list[str], anchors: list[str], random: object) -> None:
    shuffled = list(anchors)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    with TemporaryDirectory() as name:
        index = make_index(Path(name), corpus)
        one, other = (retrieve(index, some, k=5, phrases=PHRASES) for some in (anchors, shuffled))
    assert as_best(one) == as_best(other)


@settings(max_examples=40, deadline=None)
@given(corpora, anchor_lists, st.integers(1, 30), st.integers(1, 13), st.integers(1, 30))
def test_pairs_are_of_sentences_that_one_anchor_brought_first_and_nearly_all_are_in_one(
    corpus: list[str], anchors: list[str], k: int, batch: int, some: int
) -> None:
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(contextualized, "ANCHOR_BATCH", batch)
        index = make_index(Path(name), corpus)
        merged = retrieve(index, anchors, k=k, phrases=PHRASES, keep_anchors=True)
        best = union(index, anchors, k)
        owner: dict[int, int] = {}
        for number, anchor in enumerate(anchors):
            hits = index.search([query(anchor, PHRASES)[0]], k)
            for place in range(hits.counts[0]):
                found = int(hits.ids[0, place])
                if best[found] == (place + 1, float(hits.scores[0, place])):
                    owner.setdefault(found, number)
    assert as_best(merged) == best
    order = [int(number) for number in merged.order(some)]
    mine = [[number for number in order if owner[number] == anchor] for anchor in range(len(anchors))]
    expected = {pair for ids in mine for pair in zip(ids[::2], ids[1::2], strict=False)}
    ones, twos = (ids.tolist() for ids in merged.pairs(some))
    assert set(zip(ones, twos, strict=True)) == expected
    assert ones == [number for number in order if number in set(ones)]


CORPUS = ["A thin plot", "Paris in spring", "it is what it is", "A plot in Paris", "zebra"]


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return make_index(tmp_path, CORPUS)


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_batches_of_anchors_change_nothing(index: Index, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    anchors = ["The plot in spring", "Paris", "A zebra", "The plot", "It is.", "nothing known"]
    whole = retrieve(index, anchors, k=3, phrases=PHRASES)
    monkeypatch.setattr(contextualized, "ANCHOR_BATCH", batch)
    parts = retrieve(index, anchors, k=3, phrases=PHRASES)
    assert as_best(whole) == as_best(parts)
    assert (whole.hits, whole.without_hits, whole.without_keywords) == (
        parts.hits,
        parts.without_hits,
        parts.without_keywords,
    )


@pytest.mark.parametrize("batch", [1, 2])
def test_a_better_rank_wins_over_a_higher_score_whenever_it_is_found(
    tmp_path: Path, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = make_index(tmp_path, ["zebra lion tiger", "zebra lion", "something else"])
    monkeypatch.setattr(contextualized, "ANCHOR_BATCH", batch)
    anchors = ["zebra lion tiger", "lion"]
    second, first = (as_best(retrieve(index, [anchor], k=3, phrases=PHRASES))[1] for anchor in anchors)
    assert (second[0], first[0]) == (2, 1)
    assert second[1] > first[1], "the worse rank should have the higher score here"
    for some in (anchors, anchors[::-1]):
        assert as_best(retrieve(index, some, k=3, phrases=PHRASES))[1] == first


def test_hits_and_anchors_that_found_nothing_are_counted(index: Index) -> None:
    merged = retrieve(index, ["plot", "It is what it is.", "unheard", "..."], k=5, phrases=PHRASES)
    assert merged.hits == 2 + 1  # two sentences with `plot`, one for the anchor that fell back to its plain words
    assert merged.without_keywords == 2
    assert merged.without_hits == 2


def test_the_progress_is_shown(index: Index, capsys: pytest.CaptureFixture[str]) -> None:
    retrieve(index, ["plot"] * 7, k=1, phrases=PHRASES)
    assert re.search(r"retrieve: 100%.* 7/7 ", capsys.readouterr().err)


def test_an_error_while_searching_reaches_the_caller(index: Index) -> None:
    class Broken:
        sentences = index.sentences

        def search(self, queries: Sequence[Sequence[str]], k: int) -> Hits:
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        retrieve(Broken(), ["plot"], k=1, phrases=PHRASES)


RETRIEVE = """
import re, sys
from pathlib import Path
from textbook.retrieval.engines import open_index
from textbook.textbooks.contextualized import retrieve

anchors = Path(sys.argv[2]).read_text().splitlines() * int(sys.argv[3])
merged = retrieve(open_index(Path(sys.argv[1]), "hash"), anchors, k=500, phrases=20)
print(merged.hits, re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def test_memory_does_not_grow_with_the_number_of_anchors(tmp_path: Path) -> None:
    make_index(tmp_path, make_sentences(5_000, seed=0))
    (tmp_path / "anchors").write_text("\n".join(make_sentences(1_500, seed=1)))
    hits, peaks = [], []
    for times in (1, 10):
        command = [sys.executable, "-c", RETRIEVE, str(tmp_path / "index"), str(tmp_path / "anchors"), str(times)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found, peak = map(int, done.stdout.split())
        hits.append(found)
        peaks.append(peak * 1024)
    assert hits[1] == 10 * hits[0]
    kept = 8 * (hits[1] - hits[0])  # bytes, if only the number of each hit were kept
    assert kept > 50e6
    assert peaks[1] - peaks[0] < kept / 4
