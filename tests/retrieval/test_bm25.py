"""The BM25 index and its search, against a plain reference."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from textbook.errors import UserError
from textbook.retrieval.bm25 import Bm25Index, Hits, build_index, open_index, search
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


def make_index(folder: Path, corpus: list[str], k1: float = K1, b: float = B) -> Bm25Index:
    build_index(corpus, folder / "index", k1=k1, b=b, corpus_sha256="hash")
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
def index(tmp_path_factory: pytest.TempPathFactory) -> Bm25Index:
    return make_index(tmp_path_factory.mktemp("bm25"), CORPUS)


@pytest.mark.parametrize("k", [1, 2, 3, 100])
@pytest.mark.parametrize("query", ["plot", "thin plot", "thin thin plot", "cast of the film", "the a is", "weather"])
def test_ids_and_scores_are_those_of_the_reference(index: Bm25Index, query: str, k: int) -> None:
    expected = reference(CORPUS, query.split())
    best = np.lexsort((np.arange(len(CORPUS)), -expected.round(6)))[: min(k, np.count_nonzero(expected))]
    ids, scores = hits_of(search(index, [query.split()], k), 0)
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
        hits = search(make_index(Path(name), corpus, k1, b), queries, k)
    assert hits.counts.shape == (len(queries),)
    for number, query in enumerate(queries):
        check_hits(hits, number, reference(corpus, query, k1, b), k)


def test_a_larger_corpus_agrees_with_the_reference(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    vocabulary = [f"w{number}" for number in range(300)]
    draw = [" ".join(random.choice(vocabulary, size)) for size in random.integers(3, 30, 2000)]
    queries = [random.choice(vocabulary, size).tolist() for size in random.integers(1, 12, 50)]
    hits = search(make_index(tmp_path, draw), queries, 40)
    for number, query in enumerate(queries):
        check_hits(hits, number, reference(draw, query), 40)


def test_ties_break_by_id(tmp_path: Path) -> None:
    corpus = ["other"] * 3 + ["same words"] * 50 + ["other"] * 3
    ids, scores = hits_of(search(make_index(tmp_path, corpus), [["words", "same"]], 20), 0)
    assert ids == list(range(3, 23))
    assert len(set(scores)) == 1


@pytest.mark.parametrize("query", [[], ["unknown"], ["Plot"]], ids=["empty", "unknown", "not in lower case"])
def test_a_query_without_a_word_of_the_corpus_has_no_hits(index: Bm25Index, query: list[str]) -> None:
    assert search(index, [query], 3).counts.tolist() == [0]


def test_unknown_words_do_not_matter_beside_known_ones(index: Bm25Index) -> None:
    with_unknown, without = (search(index, [query], 9) for query in (["plot", "xyz"], ["plot"]))
    assert hits_of(with_unknown, 0) == hits_of(without, 0)


def test_no_queries_have_no_hits(index: Bm25Index) -> None:
    assert len(search(index, [], 3).counts) == 0


def test_sentences_without_a_word_of_the_query_fill_no_place(index: Bm25Index) -> None:
    ids, scores = hits_of(search(index, [["weather"]], 4), 0)
    assert ids == [5]
    assert min(scores) > 0


def test_more_hits_than_sentences_can_be_asked_for(index: Bm25Index) -> None:
    hits = search(index, [["plot"]], 1000)
    assert hits.ids.shape == (1, len(CORPUS))
    assert sorted(hits_of(hits, 0)[0]) == [0, 1, 4, 5]


def test_a_word_that_stands_twice_in_a_query_counts_twice(index: Bm25Index) -> None:
    once, twice = (hits_of(search(index, [["plot"] * times], 9), 0) for times in (1, 2))
    assert once[0] == twice[0]
    assert twice[1] == pytest.approx([2 * score for score in once[1]])


def test_a_query_is_answered_alike_alone_and_among_many(index: Bm25Index) -> None:
    queries = [["plot"], ["thin", "cast"], [], ["unknown"], ["the", "sea"]] * 20
    together = search(index, queries, 3)
    for number, query in enumerate(queries):
        assert hits_of(together, number) == hits_of(search(index, [query], 3), 0)


def test_the_index_counts_sentences_and_words(tmp_path: Path) -> None:
    counts = build_index(iter(CORPUS), tmp_path / "index", k1=K1, b=B, corpus_sha256="hash")
    assert counts == {"sentences": len(CORPUS), "words": len({word for text in CORPUS for word in words(text)})}


@pytest.mark.filterwarnings("ignore:invalid value")  # bm25s divides by the mean length, which is 0
def test_a_corpus_without_a_single_word_can_be_searched(tmp_path: Path) -> None:
    assert search(make_index(tmp_path, ["..."]), [["word"]], 3).counts.tolist() == [0]


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
        build_index(broken(), tmp_path / "index", k1=K1, b=B, corpus_sha256="new")
    assert open_index(tmp_path / "index", "hash").sentences == len(CORPUS)
    assert [path.name for path in tmp_path.iterdir()] == ["index"]
