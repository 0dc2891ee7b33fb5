"""How fast a corpus becomes a textbook, beside bare bm25s and Whoosh in the same run.

    python -m benchmarks.retrieval CORPUS TASK [--k 100] [--anchors 20000]

CORPUS is a folder of sentence shards (`data/corpus`), TASK one of prepared splits (`data/tasks/<task>`). Prints a table
and writes `benchmarks/results/retrieval.json`. Ratios are ours over theirs: 1 is as fast, 2 twice as fast.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import bm25s

from textbook.corpus.shards import corpus_size, read_sentences, read_shards
from textbook.files import write_json
from textbook.params import Index as Settings
from textbook.retrieval.engines import build_index, open_index
from textbook.retrieval.rake import query
from textbook.tasks.prepare import read_split, sentences
from textbook.textbooks.book import write_book
from textbook.textbooks.contextualized import retrieve
from textbook.textbooks.leaks import LeakFilter
from textbook.words import words

RESULTS = Path("benchmarks/results/retrieval.json")
PHRASES = 20
WHOOSH_SENTENCES, WHOOSH_QUERIES = 100_000, 100  # all that Whoosh gets through in reasonable time
T = TypeVar("T")


def timed(run: Callable[[], T]) -> tuple[float, T]:
    """Seconds that a call takes, and its result."""
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def bench(corpus: Path, task: Path, k: int, anchor_count: int) -> dict[str, Any]:
    """All figures, by name."""
    size, threads = corpus_size(corpus), os.cpu_count() or 1
    anchors = sentences(read_split(task, "train"))[:anchor_count]
    evaluation = sentences(read_split(task, "validation"))
    settings = Settings(engine="bm25s", k1=1.2, b=0.75)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        index_seconds, _ = timed(lambda: build_index(read_shards(corpus), folder / "ours", settings, "hash"))
        ours = open_index(folder / "ours", "hash")
        ours.search([["warm", "up"]], k)  # compiles

        def textbook() -> dict[str, int]:
            merged = retrieve(ours, anchors, k=k, phrases=PHRASES)
            ids = merged.order()
            leaks = LeakFilter(evaluation, 8)
            ranking = {"rank": merged.rank[ids], "score": merged.score[ids]}
            return write_book(corpus, ids, leaks, folder / "book.parquet", **ranking)

        textbook_seconds, counts = timed(textbook)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6

        theirs = bm25s.BM25(method="lucene", k1=1.2, b=0.75, backend="numba")
        bm25s_index_seconds, _ = timed(lambda: _index_with_bm25s(theirs, corpus))
        queries = [query(anchor, PHRASES)[0] for anchor in anchors]
        ids = [[theirs.vocab_dict[word] for word in tokens if word in theirs.vocab_dict] for tokens in queries]
        ids = [tokens or [0] for tokens in ids]
        options = {"k": k, "n_threads": threads, "show_progress": False}
        theirs.retrieve(ids[:threads], **options)  # compiles
        bm25s_seconds, _ = timed(lambda: theirs.retrieve(ids, **options))

        small = [list(islice((s for batch in read_sentences(corpus) for s in batch), WHOOSH_SENTENCES))]
        build_index(small, folder / "whoosh", Settings(engine="whoosh", k1=1.2, b=0.75), "hash")
        build_index(small, folder / "small", settings, "hash")
        few = queries[:WHOOSH_QUERIES]
        whoosh = open_index(folder / "whoosh", "hash")
        whoosh_seconds, _ = timed(lambda: whoosh.search(few, k))
        same = open_index(folder / "small", "hash")
        same_seconds, _ = timed(lambda: same.search(queries, k))
    rate = len(anchors) / textbook_seconds
    return {
        "sentences": size,
        "anchors": len(anchors),
        "k": k,
        "threads": threads,
        "index_sentences_per_second": round(size / index_seconds),
        "index_vs_bm25s": round(bm25s_index_seconds / index_seconds, 2),
        "textbook_sentences": counts["sentences"],
        "textbook_anchors_per_second": round(rate),
        "textbook_vs_bm25s": round(rate / (len(anchors) / bm25s_seconds), 2),
        "textbook_vs_whoosh": round((len(queries) / same_seconds) / (len(few) / whoosh_seconds), 1),
        "peak_gb": round(peak, 2),
    }


def _index_with_bm25s(engine: bm25s.BM25, corpus: Path) -> None:
    """Index with bm25s alone, with the same words."""
    vocabulary: dict[str, int] = {}
    tokens = [
        [vocabulary.setdefault(word, len(vocabulary)) for word in words(sentence)]
        for batch in read_sentences(corpus)
        for sentence in batch
    ]
    engine.index((tokens, vocabulary), create_empty_token=False, show_progress=False)


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, nargs="?", default=Path("data/corpus"))
    parser.add_argument("task", type=Path, nargs="?", default=Path("data/tasks/rotten_tomatoes"))
    parser.add_argument("--k", type=int, default=100)
    parser.add_argument("--anchors", type=int, default=20_000)
    chosen = parser.parse_args()
    figures = bench(chosen.corpus, chosen.task, chosen.k, chosen.anchors)
    write_json(RESULTS, figures)
    for name, value in figures.items():
        print(f"{name:28} {value:>12,}")


if __name__ == "__main__":
    main()
