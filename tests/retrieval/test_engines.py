"""The two engines agree: same formula, same words."""

import random
from pathlib import Path

import numpy as np
import pytest

from textbook.params import Index as Settings
from textbook.retrieval.engines import build_index, open_index
from textbook.retrieval.hits import Index

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
