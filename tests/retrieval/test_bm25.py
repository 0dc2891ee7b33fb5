"""The BM25 index and its search, against a plain reference."""

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
from textbook.params import Index as Settings
from textbook.retrieval.engines import build_index, open_index
from textbook.retrieval.hits import Hits, Index
from textbook.words import words

K1, B = 1.2, 0.75
Scores = NDArray[np.float64]

CORPUS = [
    "The plot is thin.",
    "A thin plot, and a thin cast!",
    "...",
    "Great cast",
    "The plot is thin",  # the same words as the first
    "A long sentence about the weather, the sea, the ships and the cast of a film with a plot",
]


def reference(corpus: list[str], query: list[str], k1: float = K1, b: float = B) -> Scores:
    """BM25 as Lucene computes it since version 8: the score of every sentence."""
    tokens = [words(sentence) for sentence in corpus]
    lengths = np.array([len(sentence) for sentence in tokens])
    scores = np.zeros(len(corpus))
    for word in query:
        frequency = np.array([sentence.count(word) for sentence in tokens])
        having = np.count_nonzero(frequency)
        idf = np.log(1 + (len(corpus) - having + 0.5) / (having + 0.5))
        norm = k1 * (1 - b + b * lengths / max(lengths.mean(), 1e-9))
        scores += np.where(frequency > 0, idf * frequency / np.maximum(frequency + norm, 1e-9), 0)
    return scores


def make_index(folder: Path, corpus: list[str], k1: float = K1, b: float = B) -> Index:
    build_index([corpus], folder / "index", Settings(engine="bm25s", k1=k1, b=b), "hash")
    return open_index(folder / "index", "hash")


def hits_of(hits: Hits, query: int) -> tuple[list[int], list[float]]:
    count = hits.counts[query]
    return hits.ids[query, :count].tolist(), hits.scores[query, :count].tolist()


def check_hits(hits: Hits, query: int, expected: Scores, k: int) -> None:
    """The hits are the k best of the reference, which may differ in the last digits."""
    ids, scores = hits_of(hits, query)
    assert len(ids) == min(k, np.count_nonzero(expected)), "not every sentence with a word of the query is a hit"
    assert len(set(ids)) == len(ids)
    assert scores == pytest.approx(expected[ids], rel=1e-4)
    assert list(zip(scores, ids, strict=True)) == sorted(
        zip(scores, ids, strict=True), key=lambda hit: (-hit[0], hit[1])
    )
    left = np.delete(expected, ids)
    if ids and len(left):
        assert left.max() <= scores[-1] * (1 + 1e-4), "a better sentence was left out"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return make_index(tmp_path_factory.mktemp("bm25"), CORPUS)


@pytest.mark.parametrize("k", [1, 2, 3, 100])
@pytest.mark.parametrize("query", ["plot", "thin plot", "thin thin plot", "cast of the film", "the a is", "weather"])
def test_ids_and_scores_are_those_of_the_reference(index: Index, query: str, k: int) -> None:
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
def test_any_corpus_and_any_queries_agree_with_the_reference(
    corpus: list[str], queries: list[list[str]], k: int, k1: float, b: float
) -> None:
    with TemporaryDirectory() as name:
        hits = make_index(Path(name), corpus, k1, b).search(queries, k)
    assert hits.counts.shape == (len(queries),)
    for number, query in enumerate(queries):
        check_hits(hits, number, reference(corpus, query, k1, b), k)


def test_a_larger_corpus_agrees_with_the_reference(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    vocabulary = [f"w{number}" for number in range(300)]
    draw = [" ".join(random.choice(vocabulary, size)) for size in random.integers(3, 30, 2000)]
    queries = [random.choice(vocabulary, size).tolist() for size in random.integers(1, 12, 50)]
    hits = make_index(tmp_path, draw).search(queries, 40)
    for number, query in enumerate(queries):
        check_hits(hits, number, reference(draw, query), 40)


def test_ties_break_by_id(tmp_path: Path) -> None:
    corpus = ["other"] * 3 + ["same words"] * 50 + ["other"] * 3
    ids, scores = hits_of(make_index(tmp_path, corpus).search([["words", "same"]], 20), 0)
    assert ids == list(range(3, 23))
    assert len(set(scores)) == 1


@pytest.mark.parametrize("query", [[], ["unknown"], ["Plot"]], ids=["empty", "unknown", "not in lower case"])
def test_a_query_without_a_word_of_the_corpus_has_no_hits(index: Index, query: list[str]) -> None:
    assert index.search([query], 3).counts.tolist() == [0]


def test_unknown_words_do_not_matter_beside_known_ones(index: Index) -> None:
    with_unknown, without = (index.search([query], 9) for query in (["plot", "xyz"], ["plot"]))
    assert hits_of(with_unknown, 0) == hits_of(without, 0)


def test_no_queries_have_no_hits(index: Index) -> None:
    assert len(index.search([], 3).counts) == 0


def test_sentences_without_a_word_of_the_query_fill_no_place(index: Index) -> None:
    ids, scores = hits_of(index.search([["weather"]], 4), 0)
    assert ids == [5]
    assert min(scores) > 0


def test_more_hits_than_sentences_can_be_asked_for(index: Index) -> None:
    hits = index.search([["plot"]], 1000)
    assert hits.ids.shape == (1, len(CORPUS))
    assert sorted(hits_of(hits, 0)[0]) == [0, 1, 4, 5]


def test_a_word_that_stands_twice_in_a_query_counts_twice(index: Index) -> None:
    once, twice = (hits_of(index.search([["plot"] * times], 9), 0) for times in (1, 2))
    assert once[0] == twice[0]
    assert twice[1] == pytest.approx([2 * score for score in once[1]])


def test_a_query_is_answered_alike_alone_and_among_many(index: Index) -> None:
    queries = [["plot"], ["thin", "cast"], [], ["unknown"], ["the", "sea"]] * 20
    together = index.search(queries, 3)
    for number, query in enumerate(queries):
        assert hits_of(together, number) == hits_of(index.search([query], 3), 0)


def test_the_index_counts_sentences(index: Index) -> None:
    assert index.sentences == len(CORPUS)


def test_a_corpus_without_a_single_word_can_be_searched(tmp_path: Path) -> None:
    assert make_index(tmp_path, ["..."]).search([["word"]], 3).counts.tolist() == [0]


def test_the_index_of_another_corpus_is_refused(tmp_path: Path) -> None:
    make_index(tmp_path, CORPUS)
    with pytest.raises(UserError, match=r"/index: was made from another corpus; `dvc repro index` makes it anew$"):
        open_index(tmp_path / "index", "another hash")


def test_a_folder_that_is_no_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is not an index; `dvc repro index` makes it$"):
        open_index(tmp_path, "hash")


def test_a_failed_build_leaves_the_old_index(tmp_path: Path) -> None:
    make_index(tmp_path, CORPUS)

    def broken() -> object:
        yield "one"
        raise UserError("the corpus ends here")

    with pytest.raises(UserError, match="the corpus ends here"):
        build_index([broken()], tmp_path / "index", Settings(engine="bm25s", k1=K1, b=B), "new")
    assert open_index(tmp_path / "index", "hash").sentences == len(CORPUS)
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


@settings(max_examples=40, deadline=None)
@given(
    corpus=st.lists(sentence, min_size=1, max_size=30),
    queries=st.lists(st.lists(st.sampled_from(["a", "b", "c", "unknown"]), max_size=5), min_size=1, max_size=6),
    cuts=st.lists(st.integers(0, 30), max_size=4),
    k=st.integers(1, 40),
)
def test_shards_find_exactly_what_one_index_finds(
    corpus: list[str], queries: list[list[str]], cuts: list[int], k: int
) -> None:
    edges = [0, *sorted(min(cut, len(corpus)) for cut in cuts), len(corpus)]
    shards = [corpus[start:end] for start, end in itertools.pairwise(edges)]
    with TemporaryDirectory() as name:
        whole = make_index(Path(name) / "whole", corpus).search(queries, k)
        build_index(shards, Path(name) / "shards", Settings(engine="bm25s", k1=K1, b=B), "hash")
        parts = open_index(Path(name) / "shards", "hash").search(queries, k)
    for number in range(len(queries)):
        assert hits_of(parts, number) == hits_of(whole, number)


def test_scores_are_those_that_bm25s_itself_computes(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    vocabulary = [f"w{number}" for number in range(200)]
    corpus = [" ".join(random.choice(vocabulary, size)) for size in random.integers(3, 30, 500)]
    engine = bm25s.BM25(method="lucene", k1=K1, b=B)
    engine.index([words(text) for text in corpus], show_progress=False)
    query = random.choice(vocabulary, 8).tolist()
    ids, scores = hits_of(make_index(tmp_path, corpus).search([query], 20), 0)
    assert scores == pytest.approx(engine.get_scores(query)[ids], rel=1e-5)
