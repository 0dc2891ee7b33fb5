"""The search gives the hits and scores of the earlier one and of a plain one, to the bit."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.plain_search import plain_search
from benchmarks.search_before import check_same, index_before
from textbook.params import Index
from textbook.retrieval import bm25
from textbook.retrieval.engines import build_index, open_index
from textbook.retrieval.hits import Hits

K1, B = 1.2, 0.75


def make_corpus(sentences: int, seed: int = 0) -> list[str]:
    """Sentences of 1 to 30 words whose frequencies follow Zipf's law, so that many scores are equal."""
    rng = np.random.default_rng(seed)
    weights = 1 / np.arange(1, 401)
    return [
        " ".join(f"w{number}" for number in rng.choice(400, size, p=weights / weights.sum()))
        for size in rng.integers(1, 31, sentences)
    ]


def make_queries(count: int) -> list[list[str]]:
    """Queries of 0 to 11 words, of which some are repeated or unknown."""
    rng = np.random.default_rng(1)
    return [[f"w{number}" for number in rng.integers(0, 420, size)] for size in rng.integers(0, 12, count)]


def search(folder: Path, shards: list[list[str]], queries: list[list[str]], k: int) -> Hits:
    build_index(shards, folder / "index", Index(engine="bm25s", k1=K1, b=B), "hash")
    return open_index(folder / "index", "hash").search(queries, k)


@pytest.mark.parametrize("window", [64, 1000, 32_768])
@pytest.mark.parametrize("k", [1, 7, 100])
def test_hits_and_scores_are_those_of_the_earlier_and_of_a_plain_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, k: int, window: int
) -> None:
    monkeypatch.setattr(bm25, "WINDOW", window)
    corpus, queries = make_corpus(1500), make_queries(300)
    shards = [corpus[:700], [], corpus[700:]]
    hits = search(tmp_path, shards, queries, k)
    check_same(hits, index_before(shards, k1=K1, b=B).search(queries, k))
    check_same(hits, [plain_search(corpus, queries, k, k1=K1, b=B)])
    assert (hits.counts == k).mean() > 0.5
    assert k == 1 or np.mean(np.diff(hits.scores)[hits.counts == k] == 0) > 0.01, "the test needs ties"


@settings(max_examples=30)
@given(
    cuts=st.lists(st.integers(0, 300), max_size=3),
    group=st.integers(1, 4),
    window=st.integers(1, 400),
    k=st.integers(1, 400),
)
def test_groups_windows_and_shards_change_no_score(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], group: int, window: int, k: int
) -> None:
    corpus, queries = make_corpus(300), make_queries(30)
    limits = [0, *sorted(cuts), len(corpus)]
    shards = [corpus[start:stop] for start, stop in itertools.pairwise(limits)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bm25, "WINDOW", window)
        patch.setattr(bm25, "GROUP_SHARDS", group)
        patch.setattr(bm25, "cluster_address", lambda: "a cluster")  # `run_each` itself still sees none
        hits = search(tmp_path_factory.mktemp("groups"), shards, queries, k)
    check_same(hits, [plain_search(corpus, queries, min(k, len(corpus)), k1=K1, b=B)])
