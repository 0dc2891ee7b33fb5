"""The BM25 index and its search match a simple reference implementation."""

import itertools
from pathlib import Path
from tempfile import TemporaryDirectory

import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from textbook.errors import UserError
from textbook.params import Index
from textbook.retrieval.engines import build_index, open_index
from textbook.retrieval.hits import Hits, SearchIndex
from textbook.words import words

K1, B = 1.2, 0.75
Scores = NDArray[np.float64]

CORPUS = [
    "The plot is thin.",
    "A thin plot, and a thin cast!",
    "...",
    "Great cast",
    "The plot is thin",  # same words as the first sentence
    "A long sentence about the weather, the sea, the ships and the cast of a film with a plot",
]


def reference(corpus: list[str], query: list[str], k1: float = K1, b: float = B) -> Scores:
    """The score of every sentence by BM25 as in Lucene since version 8."""
    tokens = [words(sentence) for sentence in corpus]
    lengths = np.array([len(sentence) for sentence in tokens])
    scores = np.zeros(len(corpus))
    for word in query:
        frequency = np.array([sentence.count(word) for sentence in tokens])
        document_frequency = np.count_nonzero(frequency)
        idf = np.log(1 + (len(corpus) - document_frequency + 0.5) / (document_frequency + 0.5))
        norm = k1 * (1 - b + b * lengths / max(lengths.mean(), 1e-9))
        scores += np.where(frequency > 0, idf * frequency / np.maximum(frequency + norm, 1e-9), 0)
    return scores


def make_index(folder: Path, corpus: list[str], k1: float = K1, b: float = B) -> SearchIndex:
    build_index([corpus], folder / "index", Index(engine="bm25s", k1=k1, b=b), "hash")
    return open_index(folder / "index", "hash")


def hits_of(hits: Hits, query: int) -> tuple[list[int], list[float]]:
    count = hits.counts[query]
    return hits.ids[query, :count].tolist(), hits.scores[query, :count].tolist()


def check_hits(hits: Hits, query: int, expected: Scores, k: int) -> None:
    """The hits are the k best sentences of the reference, up to rounding errors in the scores."""
    ids, scores = hits_of(hits, query)
    assert len(ids) == min(k, np.count_nonzero(expected)), "a sentence that shares a word with the query is missing"
    assert len(set(ids)) == len(ids)
    assert scores == pytest.approx(expected[ids], rel=1e-4)
    assert list(zip(scores, ids, strict=True)) == sorted(
        zip(scores, ids, strict=True), key=lambda hit: (-hit[0], hit[1])
    )
    others = np.delete(expected, ids)
    if ids and len(others):
        assert others.max() <= scores[-1] * (1 + 1e-4), "a better sentence was left out"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> SearchIndex:
    return make_index(tmp_path_factory.mktemp("bm25"), CORPUS)


@pytest.mark.parametrize("k", [1, 2, 3, 100])
@pytest.mark.parametrize("query", ["plot", "thin plot", "thin thin plot", "cast of the film", "the a is", "weather"])
def test_ids_and_scores_match_the_reference(index: SearchIndex, query: str, k: int) -> None:
    expected = reference(CORPUS, query.split())
    best = np.lexsort((np.arange(len(CORPUS)), -expected.round(6)))[: min(k, np.count_nonzero(expected))]
    ids, scores = hits_of(index.search([query.split()], k), 0)
    assert ids == best.tolist()
    assert scores == pytest.approx(expected[best], rel=1e-4)


sentence = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "…"]), max_size=8).map(" ".join)


@settings(max_examples=40, deadline=None)
@given(
    corpus=st.lists(sentence, min_size=1, max_size=30).filter(lambda corpus: any(map(words, corpus))),
    queries=st.lists(st.lists(st.sampled_from(["a", "b", "c", "d", "e", "unknown"]), max_size=5), max_size=6),
    k=st.integers(1, 40),
    k1=st.sampled_from([0.0, 0.9, 1.2, 3.0]),
    b=st.sampled_from([0.0, 0.75, 1.0]),
)
def test_any_corpus_and_queries_match_the_reference(
    corpus: list[str], queries: list[list[str]], k: int, k1: float, b: float
) -> None:
    with TemporaryDirectory() as name:
        hits = make_index(Path(name), corpus, k1, b).search(queries, k)
    assert hits.counts.shape == (len(queries),)
    for number, query in enumerate(queries):
        check_hits(hits, number, reference(corpus, query, k1, b), k)


def test_a_larger_corpus_matches_the_reference(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vocabulary = [f"w{number}" for number in range(300)]
    corpus = [" ".join(rng.choice(vocabulary, size)) for size in rng.integers(3, 30, 2000)]
    queries = [rng.choice(vocabulary, size).tolist() for size in rng.integers(1, 12, 50)]
    hits = make_index(tmp_path, corpus).search(queries, 40)
    for number, query in enumerate(queries):
        check_hits(hits, number, reference(corpus, query), 40)


def test_a_word_may_occur_more_than_65535_times_in_a_sentence(tmp_path: Path) -> None:
    corpus = ["film " * 65_537 + "plot", "film film plot", "plot"]
    check_hits(make_index(tmp_path, corpus).search([["film"]], 3), 0, reference(corpus, ["film"]), 3)


def test_ties_are_broken_by_id(tmp_path: Path) -> None:
    corpus = ["other"] * 3 + ["same words"] * 50 + ["other"] * 3
    ids, scores = hits_of(make_index(tmp_path, corpus).search([["words", "same"]], 20), 0)
    assert ids == list(range(3, 23))
    assert len(set(scores)) == 1


@pytest.mark.parametrize("query", [[], ["unknown"], ["Plot"]], ids=["empty", "unknown", "not in lower case"])
def test_a_query_without_words_of_the_corpus_has_no_hits(index: SearchIndex, query: list[str]) -> None:
    assert index.search([query], 3).counts.tolist() == [0]


def test_unknown_words_in_a_query_are_ignored(index: SearchIndex) -> None:
    with_unknown, without = (index.search([query], 9) for query in (["plot", "xyz"], ["plot"]))
    assert hits_of(with_unknown, 0) == hits_of(without, 0)


def test_an_empty_batch_of_queries_has_no_hits(index: SearchIndex) -> None:
    assert len(index.search([], 3).counts) == 0


def test_sentences_that_share_no_word_with_the_query_are_not_hits(index: SearchIndex) -> None:
    ids, scores = hits_of(index.search([["weather"]], 4), 0)
    assert ids == [5]
    assert min(scores) > 0


def test_k_may_exceed_the_number_of_sentences(index: SearchIndex) -> None:
    hits = index.search([["plot"]], 1000)
    assert hits.ids.shape == (1, len(CORPUS))
    assert sorted(hits_of(hits, 0)[0]) == [0, 1, 4, 5]


def test_a_word_that_occurs_twice_in_a_query_counts_twice(index: SearchIndex) -> None:
    once, twice = (hits_of(index.search([["plot"] * times], 9), 0) for times in (1, 2))
    assert once[0] == twice[0]
    assert twice[1] == pytest.approx([2 * score for score in once[1]])


def test_hits_do_not_depend_on_the_batch(index: SearchIndex) -> None:
    queries = [["plot"], ["thin", "cast"], [], ["unknown"], ["the", "sea"]] * 20
    together = index.search(queries, 3)
    for number, query in enumerate(queries):
        assert hits_of(together, number) == hits_of(index.search([query], 3), 0)


def test_the_index_knows_the_number_of_sentences(index: SearchIndex) -> None:
    assert index.sentences == len(CORPUS)


def test_a_corpus_without_words_can_be_searched(tmp_path: Path) -> None:
    assert make_index(tmp_path, ["..."]).search([["word"]], 3).counts.tolist() == [0]


def test_the_index_of_another_corpus_is_refused(tmp_path: Path) -> None:
    make_index(tmp_path, CORPUS)
    with pytest.raises(UserError, match=r"/index: was built from another corpus; run `dvc repro index`$"):
        open_index(tmp_path / "index", "another hash")


def test_a_folder_that_is_not_an_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is not an index; run `dvc repro index`$"):
        open_index(tmp_path, "hash")


def test_a_failed_build_keeps_the_old_index(tmp_path: Path) -> None:
    make_index(tmp_path, CORPUS)

    def broken_shard() -> object:
        yield "one"
        raise UserError("the corpus ends here")

    with pytest.raises(UserError, match="the corpus ends here"):
        build_index([broken_shard()], tmp_path / "index", Index(engine="bm25s", k1=K1, b=B), "new")
    assert open_index(tmp_path / "index", "hash").sentences == len(CORPUS)
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


@settings(max_examples=40, deadline=None)
@given(
    corpus=st.lists(sentence, min_size=1, max_size=30),
    queries=st.lists(st.lists(st.sampled_from(["a", "b", "c", "unknown"]), max_size=5), min_size=1, max_size=6),
    cuts=st.lists(st.integers(0, 30), max_size=4),
    k=st.integers(1, 40),
)
def test_hits_do_not_depend_on_the_sharding(
    corpus: list[str], queries: list[list[str]], cuts: list[int], k: int
) -> None:
    boundaries = [0, *sorted(min(cut, len(corpus)) for cut in cuts), len(corpus)]
    shards = [corpus[start:end] for start, end in itertools.pairwise(boundaries)]
    with TemporaryDirectory() as name:
        unsharded_hits = make_index(Path(name) / "unsharded", corpus).search(queries, k)
        build_index(shards, Path(name) / "shards", Index(engine="bm25s", k1=K1, b=B), "hash")
        sharded_hits = open_index(Path(name) / "shards", "hash").search(queries, k)
    for number in range(len(queries)):
        assert hits_of(sharded_hits, number) == hits_of(unsharded_hits, number)


def test_scores_match_those_of_bm25s(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vocabulary = [f"w{number}" for number in range(200)]
    corpus = [" ".join(rng.choice(vocabulary, size)) for size in rng.integers(3, 30, 500)]
    engine = bm25s.BM25(method="lucene", k1=K1, b=B)
    engine.index([words(text) for text in corpus], show_progress=False)
    query = rng.choice(vocabulary, 8).tolist()
    ids, scores = hits_of(make_index(tmp_path, corpus).search([query], 20), 0)
    assert scores == pytest.approx(engine.get_scores(query)[ids], rel=1e-5)
