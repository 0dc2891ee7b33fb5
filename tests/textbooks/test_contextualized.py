"""The contextualized corpus matches the brute-force union of the hits of all anchors."""

import re
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import make_sentences
from textbook.errors import UserError
from textbook.params import Index
from textbook.retrieval.engines import build_index, open_index
from textbook.retrieval.hits import Hits, SearchIndex
from textbook.retrieval.rake import query
from textbook.retrieval.stop_words import read_stop_words
from textbook.textbooks import contextualized
from textbook.textbooks.contextualized import Merged, blend
from textbook.textbooks.contextualized import retrieve as retrieve_with

PHRASES = 20
STOP_WORDS = read_stop_words("en")
retrieve = partial(retrieve_with, phrases=PHRASES, stop_words=STOP_WORDS)
Best = dict[int, tuple[int, float]]  # rank and score by id

word = st.sampled_from(["plot", "film", "cast", "Paris", "zebra", "the", "is"])
some_text = st.lists(word, min_size=1, max_size=6).map(" ".join)
corpora = st.lists(some_text, min_size=1, max_size=25)
anchor_lists = st.lists(st.one_of(some_text, st.sampled_from(["unheard words", "It is.", "..."])), max_size=12)


def make_index(folder: Path, corpus: list[str]) -> SearchIndex:
    build_index([corpus], folder / "index", Index(engine="bm25s", k1=1.2, b=0.75), "hash")
    return open_index(folder / "index", "hash")


def union(index: SearchIndex, anchors: list[str], k: int) -> Best:
    """Search for one anchor at a time: the best rank of each sentence, and the highest score at this rank."""
    best: Best = {}
    for anchor in anchors:
        hits = index.search([query(anchor, PHRASES, STOP_WORDS)[0]], k)
        for place in range(hits.counts[0]):
            number, hit = int(hits.ids[0, place]), (place + 1, float(hits.scores[0, place]))
            best[number] = min(best.get(number, hit), hit, key=lambda hit: (hit[0], -hit[1]))
    return best


def as_best(merged: Merged) -> Best:
    return {
        int(number): (int(rank), float(score))
        for number, rank, score in zip(merged.ids, merged.rank, merged.score, strict=True)
    }


@settings(max_examples=40, deadline=None)
@given(corpora, anchor_lists, st.integers(1, 30), st.integers(1, 60))
def test_the_result_is_the_union_over_the_anchors_by_rank_score_and_id(
    corpus: list[str], anchors: list[str], k: int, batch: int
) -> None:
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(contextualized, "BATCH_HITS", batch)
        index = make_index(Path(name), corpus)
        merged = retrieve(index, anchors, k=k)
        best = union(index, anchors, k)
    assert as_best(merged) == best
    assert merged.order().tolist() == sorted(best, key=lambda number: (best[number][0], -best[number][1], number))
    assert merged.sentences == len(corpus)


@settings(max_examples=30, deadline=None)
@given(corpora, anchor_lists, st.integers(1, 10), st.integers(0, 10))
def test_a_smaller_k_gives_exactly_the_sentences_up_to_that_rank(
    corpus: list[str], anchors: list[str], small_k: int, extra: int
) -> None:
    with TemporaryDirectory() as name:
        index = make_index(Path(name), corpus)
        small, large = (retrieve(index, anchors, k=k) for k in (small_k, small_k + extra))
    order = large.order()
    prefix = order[large.relevance(order)[0] <= small_k]
    assert small.order().tolist() == prefix.tolist() == order[: len(prefix)].tolist()
    assert small.relevance(prefix)[1].tolist() == large.relevance(prefix)[1].tolist()


@settings(max_examples=25, deadline=None)
@given(corpora, anchor_lists, st.randoms(use_true_random=False))
def test_the_order_of_the_anchors_does_not_matter(corpus: list[str], anchors: list[str], random: object) -> None:
    shuffled = list(anchors)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    with TemporaryDirectory() as name:
        index = make_index(Path(name), corpus)
        original, reordered = (retrieve(index, texts, k=5) for texts in (anchors, shuffled))
    assert as_best(original) == as_best(reordered)


@settings(max_examples=40, deadline=None)
@given(corpora, anchor_lists, st.integers(1, 30), st.integers(1, 60), st.integers(1, 30))
def test_pairs_are_consecutive_sentences_of_the_same_anchor(
    corpus: list[str], anchors: list[str], k: int, batch: int, pairs_k: int
) -> None:
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(contextualized, "BATCH_HITS", batch)
        index = make_index(Path(name), corpus)
        merged = retrieve(index, anchors, k=k)
        best = union(index, anchors, k)
        owner: dict[int, int] = {}
        for number, anchor in enumerate(anchors):
            hits = index.search([query(anchor, PHRASES, STOP_WORDS)[0]], k)
            for place in range(hits.counts[0]):
                sentence = int(hits.ids[0, place])
                if best[sentence] == (place + 1, float(hits.scores[0, place])):
                    owner.setdefault(sentence, number)
    assert as_best(merged) == best
    order = [int(sentence) for sentence in merged.order(pairs_k)]
    groups = [[sentence for sentence in order if owner[sentence] == anchor] for anchor in range(len(anchors))]
    expected = {pair for ids in groups for pair in zip(ids[::2], ids[1::2], strict=False)}
    firsts, seconds = (ids.tolist() for ids in merged.pairs(pairs_k))
    assert set(zip(firsts, seconds, strict=True)) == expected
    assert firsts == [sentence for sentence in order if sentence in set(firsts)]


CORPUS = ["A thin plot", "Paris in spring", "it is what it is", "A plot in Paris", "zebra"]


@pytest.fixture
def index(tmp_path: Path) -> SearchIndex:
    return make_index(tmp_path, CORPUS)


@pytest.mark.parametrize("batch", [1, 6, 9])  # 1, 2 and 3 anchors
def test_the_result_does_not_depend_on_the_batch_size(
    index: SearchIndex, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    anchors = ["The plot in spring", "Paris", "A zebra", "The plot", "It is.", "nothing known"]
    expected = retrieve(index, anchors, k=3)
    monkeypatch.setattr(contextualized, "BATCH_HITS", batch)
    merged = retrieve(index, anchors, k=3)
    assert as_best(merged) == as_best(expected)
    assert (merged.hits, merged.without_hits, merged.without_keywords) == (
        expected.hits,
        expected.without_hits,
        expected.without_keywords,
    )


@pytest.mark.parametrize("batch", [1, 6])  # 1 and 2 anchors
def test_a_better_rank_wins_over_a_higher_score_in_any_order(
    tmp_path: Path, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = make_index(tmp_path, ["zebra lion tiger", "zebra lion", "something else"])
    monkeypatch.setattr(contextualized, "BATCH_HITS", batch)
    anchors = ["zebra lion tiger", "lion"]
    second, first = (as_best(retrieve(index, [anchor], k=3))[1] for anchor in anchors)
    assert (second[0], first[0]) == (2, 1)
    assert second[1] > first[1], "the test needs a worse rank with a higher score"
    for ordered in (anchors, anchors[::-1]):
        assert as_best(retrieve(index, ordered, k=3))[1] == first


def test_hits_and_anchors_without_hits_are_counted(index: SearchIndex) -> None:
    merged = retrieve(index, ["plot", "It is what it is.", "unheard", "..."], k=5)
    assert merged.hits == 2 + 1  # two sentences with `plot`, one for the anchor that fell back to all its words
    assert merged.without_keywords == 2
    assert merged.without_hits == 2


def test_progress_is_shown(index: SearchIndex, capsys: pytest.CaptureFixture[str]) -> None:
    retrieve(index, ["plot"] * 7, k=1)
    assert re.search(r"retrieve: 100%.* 7/7 ", capsys.readouterr().err)


def test_a_search_error_reaches_the_caller(index: SearchIndex) -> None:
    class Broken:
        sentences = index.sentences

        def search(self, queries: Sequence[Sequence[str]], k: int) -> Hits:
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        retrieve(Broken(), ["plot"], k=1)


RETRIEVE = """
import re, sys
from pathlib import Path
from textbook.retrieval.engines import open_index
from textbook.textbooks import contextualized

contextualized.BATCH_HITS = 50_000
anchors = Path(sys.argv[2]).read_text().splitlines() * int(sys.argv[3])
index = open_index(Path(sys.argv[1]), "hash")
merged = contextualized.retrieve(index, anchors, k=500, phrases=20, stop_words=frozenset())
print(merged.hits, re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def test_memory_does_not_grow_with_the_number_of_anchors(tmp_path: Path) -> None:
    make_index(tmp_path, make_sentences(5_000, seed=0))
    (tmp_path / "anchors").write_text("\n".join(make_sentences(1_500, seed=1)))
    hits, peaks = [], []
    for times in (1, 10):
        command = [sys.executable, "-c", RETRIEVE, str(tmp_path / "index"), str(tmp_path / "anchors"), str(times)]
        process = subprocess.run(command, capture_output=True, text=True, check=True)
        count, peak = map(int, process.stdout.split())
        hits.append(count)
        peaks.append(peak * 1024)
    assert hits[1] == 10 * hits[0]
    id_bytes = 8 * (hits[1] - hits[0])  # memory growth if the id of every hit were stored
    assert id_bytes > 50e6
    assert peaks[1] - peaks[0] < id_bytes / 4


def found(corpus: int = 5000, retrieved: int = 1000, k: int = 10) -> Merged:
    """Search results of `retrieved` sentences at random places in a corpus, with their anchors."""
    rng = np.random.default_rng(1)
    ids = np.sort(rng.choice(corpus, retrieved, replace=False))
    rank, anchor = (rng.integers(low, high, retrieved).astype(np.int32) for low, high in ((1, k + 1), (0, 200)))
    return Merged(k, ids, rank, rng.random(retrieved, np.float32), anchor, corpus, retrieved, 0, 0)


def test_a_blend_replaces_its_share_everywhere_in_the_order_of_relevance() -> None:
    merged = found()
    blended = blend(merged, 0.3)
    before, after = merged.order(), blended.order()
    assert len(set(before)) == len(set(after)) == 1000
    new = ~np.isin(after, before)
    assert new.sum() == 300
    assert [int(part.sum()) for part in np.array_split(new, 4)] == pytest.approx([75] * 4, abs=20)
    for name in ("rank", "score", "anchor"):  # places, not sentences, have ranks, scores and anchors
        values = [
            getattr(book, name)[np.searchsorted(book.ids, ids)] for book, ids in ((blended, after), (merged, before))
        ]
        np.testing.assert_array_equal(*values)
    stay = before[np.isin(before, after)]
    np.testing.assert_array_equal(stay, after[~new])
    np.testing.assert_array_equal(blend(merged, 0.3).ids, blended.ids)
    assert merged.distinct == blended.distinct == 1000
    np.testing.assert_array_equal(found().ids, merged.ids)  # the original is as it was


def test_a_blend_draws_from_all_sentences_that_were_not_retrieved() -> None:
    """The draw is the one from a list of them, which a large corpus is too large for."""
    merged = found()
    rng = np.random.default_rng(0)
    out = rng.choice(merged.order(), 300, replace=False)
    into = rng.choice(np.setdiff1d(np.arange(5000), merged.ids), 300, replace=False)
    blended = blend(merged, 0.3)
    np.testing.assert_array_equal(blended.ids, np.union1d(np.setdiff1d(merged.ids, out), into))
    for values, expected in zip(blended.relevance(into), merged.relevance(out), strict=True):
        np.testing.assert_array_equal(values, expected)
    everything = blend(found(corpus=1300), 0.3)
    assert set(everything.ids) >= set(range(1300)) - set(found(corpus=1300).ids)


def test_a_blend_works_with_budgets_and_groups() -> None:
    merged = blend(found(), 0.5)
    ids, anchors = merged.grouped(5)
    assert len(ids) == np.count_nonzero(merged.rank <= 5)
    assert (np.diff(anchors) >= 0).all()


def test_a_blend_needs_enough_other_sentences() -> None:
    message = "textbooks.contextualized.blend = 0.3: replaces 300 sentences, but the corpus has only 200"
    with pytest.raises(UserError, match=message):
        blend(found(corpus=1200), 0.3)
