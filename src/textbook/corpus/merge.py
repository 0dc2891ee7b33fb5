"""Merging the sentences of all sources into a corpus: shards without duplicates, with a stable id per sentence."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from textbook.corpus.duplicates import find_duplicates
from textbook.corpus.near_duplicates import find_near_duplicates
from textbook.corpus.sentences import sentence_shards
from textbook.corpus.shards import SUMMARY
from textbook.corpus.stretches import Stretch, count_places, cut_shards, kept_rows
from textbook.errors import UserError
from textbook.files import atomic_write, hash_folder, remove, write_json
from textbook.params import NearDuplicates
from textbook.ray_tasks import run_all

SCHEMA = pa.schema([("id", pa.int64()), ("sentence", pa.string()), ("source", pa.string())])
SHARD_ROWS = 1_000_000
WORK, NEAR = "duplicates", "near"


def write_corpus(
    sources: Mapping[str, Path], folder: Path, shard_rows: int = SHARD_ROWS, near: NearDuplicates | None = None
) -> dict[str, int]:
    """Merge sources into shards and keep the first of equal sentences; ids are consecutive from 0, in input order.

    Args:
        sources: the sentences of each source, by name: a Parquet file with the column `sentence`, or a folder written
            by `write_sentences`.
        folder: the output folder for the shards and their summary. It is empty, or was left by a killed call with the
            same arguments, which is then resumed. The summary is written last, so a folder without it is not a corpus.
        near: which sentences are near-duplicates of an earlier one, and left out too; None: keep them.

    Returns:
        The number of input `sentences`, and how many of them were `kept`, `duplicates` and, with `near`,
        `near_duplicates`.

    Raises:
        UserError: the sources have no sentences.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():  # incomplete files of a killed call, and its summary, which would change the hash
        if path.suffix != ".parquet" and path.name != WORK:
            remove(path)
    shards = [(name, path) for name, source in sources.items() for path in sentence_shards(source)]
    stretches = cut_shards([path for _, path in shards])
    duplicates = find_duplicates(stretches, folder / WORK)
    similar = find_near_duplicates(stretches, duplicates, folder / WORK / NEAR, near) if near else []
    removed = [*duplicates, *similar]
    limits = np.cumsum([0, *(stretch.rows for stretch in stretches)])
    ids = np.cumsum([0, *(np.diff(limits) - count_places(removed, limits))])  # the first id of each stretch
    total, kept = int(limits[-1]), int(ids[-1])
    if not kept:
        raise UserError(f"corpus: no sentences in {', '.join(map(str, sources.values()))}")
    names = {path.absolute(): name for name, path in shards}
    jobs = []
    for number in range(-(-kept // shard_rows)):
        start, stop = number * shard_rows, min(kept, (number + 1) * shard_rows)
        first, last = np.searchsorted(ids, start, "right") - 1, np.searchsorted(ids, stop)
        inputs = [(stretch, names[stretch.path]) for stretch in stretches[first:last]]
        jobs.append((folder.resolve() / f"{number:05}.parquet", start, stop, int(ids[first]), inputs))
    run_all(partial(_write_shard, removed=removed), jobs, "corpus", sum(path.stat().st_size for path in names))
    near_duplicates = int(count_places(similar, limits).sum())
    counts = {"sentences": total, "kept": kept, "duplicates": total - kept - near_duplicates}
    if near:
        counts["near_duplicates"] = near_duplicates
    remove(folder / WORK)
    write_json(folder / SUMMARY, {**counts, "sha256": hash_folder(folder)})
    return counts


def _write_shard(job: tuple[Path, int, int, int, list[tuple[Stretch, str]]], removed: list[Path]) -> None:
    """Write the shard of the sentences with `start` <= id < `stop`.

    Args:
        job: the path of the shard, `start`, `stop`, the first id of the first stretch, and the stretches with the names
            of their sources.
    """
    target, start, stop, first_id, inputs = job
    if target.exists():
        return
    parts = []
    for stretch, source in inputs:
        kept = stretch.read().filter(pa.array(kept_rows(stretch, removed)))
        sentences = kept.slice(max(0, start - first_id), min(stop, first_id + len(kept)) - max(start, first_id))
        parts.append(pa.table([sentences, pa.repeat(source, len(sentences))], names=["sentence", "source"]))
        first_id += len(kept)
    table = pa.concat_tables(parts).combine_chunks()  # so that the bytes do not depend on how the input was cut
    table = table.add_column(0, "id", pa.array(np.arange(start, stop)))
    with atomic_write(target) as temporary:
        pq.write_table(table.cast(SCHEMA), temporary, compression="zstd", use_dictionary=["source"])
