"""The corpus: sentence shards without duplicates, each sentence with a stable id."""

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from textbook.errors import UserError
from textbook.files import hash_folder, read_json, write_json

SCHEMA = pa.schema([("id", pa.int64()), ("sentence", pa.string()), ("source", pa.string())])
SHARD_ROWS = 1_000_000
SUMMARY = "corpus.json"


def write_corpus(sources: Mapping[str, Path], folder: Path, shard_rows: int = SHARD_ROWS) -> dict[str, int]:
    """Merge sentence files into shards, keeping the first of equal sentences; ids count up from 0 in order.

    Args:
        sources: name of each source and its Parquet file with the column `sentence`.
        folder: an empty folder for the shards and their summary.

    Returns:
        How many sentences there were (`sentences`), `kept`, and how many were `duplicates`.

    Raises:
        UserError: no sentence is left.
    """
    seen: set[bytes] = set()
    counts = {"sentences": 0, "kept": 0, "duplicates": 0}
    shard = _Shard(folder, shard_rows)
    for name, path in sources.items():
        for batch in pq.ParquetFile(path).iter_batches(columns=["sentence"]):
            fresh = []
            for sentence in batch.column(0).to_pylist():
                digest = blake2b(sentence.encode(), digest_size=16).digest()
                if digest not in seen:
                    seen.add(digest)
                    fresh.append(sentence)
            counts["sentences"] += batch.num_rows
            shard.write(fresh, name)
    shard.close()
    counts["kept"] = shard.next_id
    counts["duplicates"] = counts["sentences"] - shard.next_id
    if not shard.next_id:
        raise UserError(f"corpus: no sentence is left of {', '.join(map(str, sources.values()))}")
    write_json(folder / SUMMARY, {**counts, "sha256": hash_folder(folder)})
    return counts


class _Shard:
    """Writes sentences to one shard after the other, each of at most `rows` sentences."""

    def __init__(self, folder: Path, rows: int) -> None:
        self.folder, self.rows, self.next_id = folder, rows, 0
        self.writer: pq.ParquetWriter | None = None

    def write(self, sentences: list[str], source: str) -> None:
        while sentences:
            number, used = divmod(self.next_id, self.rows)
            if used == 0:
                self.close()
                self.writer = pq.ParquetWriter(self.folder / f"{number:05}.parquet", SCHEMA, compression="zstd")
            assert self.writer is not None
            part, sentences = sentences[: self.rows - used], sentences[self.rows - used :]
            ids = pa.array(range(self.next_id, self.next_id + len(part)), pa.int64())
            self.writer.write_table(pa.table([ids, part, [source] * len(part)], schema=SCHEMA))
            self.next_id += len(part)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


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


def read_sentences(folder: Path, batch_size: int = 65_536) -> Iterator[list[str]]:
    """All sentences of a corpus in the order of their ids, a batch at a time."""
    for path in shard_paths(folder):
        for batch in pq.ParquetFile(path).iter_batches(batch_size, columns=["sentence"]):
            yield batch.column(0).to_pylist()


def take_sentences(folder: Path, ids: NDArray[np.int64]) -> pa.Table:
    """The rows `sentence, source` of the given ids, in their order; one shard is in memory at a time."""
    position = np.argsort(ids, kind="stable")
    ascending = ids[position]
    parts, start = [], 0
    for path in shard_paths(folder):
        rows = pq.ParquetFile(path).metadata.num_rows
        mine = ascending[np.searchsorted(ascending, start) : np.searchsorted(ascending, start + rows)] - start
        parts.append(pq.read_table(path, columns=["sentence", "source"]).take(mine))
        start += rows
    return pa.concat_tables(parts).take(np.argsort(position))


def read_shards(folder: Path) -> Iterator[Iterator[str]]:
    """The sentences of each shard, in the order of their ids; a batch of a shard is in memory at a time."""
    for path in shard_paths(folder):
        batches = pq.ParquetFile(path).iter_batches(columns=["sentence"])
        yield (sentence for batch in batches for sentence in batch.column(0).to_pylist())
