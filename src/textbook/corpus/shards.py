"""The corpus: sentence shards without duplicates, each sentence with a stable id."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from textbook.corpus.duplicates import Stretch, count_duplicates, cut_shards, duplicates_in, find_duplicates
from textbook.corpus.sentences import sentence_shards
from textbook.errors import UserError
from textbook.files import hash_folder, read_json, remove, write_aside, write_json
from textbook.parallel import run_all

SCHEMA = pa.schema([("id", pa.int64()), ("sentence", pa.string()), ("source", pa.string())])
SHARD_ROWS = 1_000_000
SUMMARY = "corpus.json"
WORK = "duplicates"


def write_corpus(sources: Mapping[str, Path], folder: Path, shard_rows: int = SHARD_ROWS) -> dict[str, int]:
    """Merge sources into shards, keeping the first of equal sentences; ids count up from 0 in order.

    Args:
        sources: name of each source and its sentences: a Parquet file with the column `sentence`, or a folder of
            `write_sentences`.
        folder: where the shards and their summary go: empty, or as a killed call with the same arguments left it.
            The call then goes on with the next shard. The summary comes last, so a folder without it is no corpus.

    Returns:
        How many sentences there were (`sentences`), `kept`, and how many were `duplicates`.

    Raises:
        UserError: no sentence is left.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():  # what a killed call left half written, or its summary, which would enter the hash
        if path.suffix != ".parquet" and path.name != WORK:
            remove(path)
    shards = [(name, path) for name, source in sources.items() for path in sentence_shards(source)]
    stretches = cut_shards([path for _, path in shards])
    duplicates = find_duplicates(stretches, folder / WORK)
    limits = np.cumsum([0, *(stretch.rows for stretch in stretches)])
    ids = np.cumsum([0, *(np.diff(limits) - count_duplicates(duplicates, limits))])  # the first id of each stretch
    total, kept = int(limits[-1]), int(ids[-1])
    if not kept:
        raise UserError(f"corpus: no sentence is left of {', '.join(map(str, sources.values()))}")
    names = {path.absolute(): name for name, path in shards}
    jobs = []
    for number in range(-(-kept // shard_rows)):
        start, stop = number * shard_rows, min(kept, (number + 1) * shard_rows)
        first, last = np.searchsorted(ids, start, "right") - 1, np.searchsorted(ids, stop)
        mine = [(stretch, names[stretch.path]) for stretch in stretches[first:last]]
        jobs.append((folder.resolve() / f"{number:05}.parquet", start, stop, int(ids[first]), mine))
    run_all(partial(_write_shard, duplicates=duplicates), jobs, "corpus", sum(path.stat().st_size for path in names))
    remove(folder / WORK)
    counts = {"sentences": total, "kept": kept, "duplicates": total - kept}
    write_json(folder / SUMMARY, {**counts, "sha256": hash_folder(folder)})
    return counts


def _write_shard(job: tuple[Path, int, int, int, list[tuple[Stretch, str]]], duplicates: list[Path]) -> None:
    """Write the sentences with the ids from `start` up to `stop`; the first of the stretches begins with id `at`."""
    target, start, stop, at, stretches = job
    if target.exists():
        return
    parts = []
    for stretch, source in stretches:
        fresh = np.ones(stretch.rows, bool)
        fresh[duplicates_in(duplicates, stretch.place, stretch.place + stretch.rows) - stretch.place] = False
        sentences = stretch.read().filter(pa.array(fresh))
        mine = sentences.slice(max(0, start - at), min(stop, at + len(sentences)) - max(start, at))
        parts.append(pa.table([mine, pa.repeat(source, len(mine))], names=["sentence", "source"]))
        at += len(sentences)
    table = pa.concat_tables(parts).combine_chunks()  # so that the file doesn't show where the input was cut
    table = table.add_column(0, "id", pa.array(np.arange(start, stop)))
    with write_aside(target) as aside:
        pq.write_table(table.cast(SCHEMA), aside, compression="zstd", use_dictionary=["source"])


def shard_paths(folder: Path) -> list[Path]:
    """The shards of a corpus, in the order of their ids."""
    return sorted(folder.glob("*.parquet"))


def corpus_hash(folder: Path) -> str:
    """What identifies a corpus: the hash over its shards, as it was when they were written."""
    summary = folder / SUMMARY
    if not summary.is_file():
        raise UserError(f"{folder}: is not a corpus; it has no {SUMMARY}")
    return str(read_json(summary)["sha256"])


def corpus_size(folder: Path) -> int:
    """How many sentences a corpus has."""
    return int(read_json(folder / SUMMARY)["kept"])


def read_shards(folder: Path, batch_size: int = 65_536) -> Iterator[Iterator[str]]:
    """The sentences of each shard, in the order of their ids; a batch of a shard is in memory at a time."""
    for path in shard_paths(folder):
        batches = pq.ParquetFile(path).iter_batches(batch_size, columns=["sentence"])
        yield (sentence for batch in batches for sentence in batch.column(0).to_pylist())
