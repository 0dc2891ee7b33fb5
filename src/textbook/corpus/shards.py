"""Reading a corpus: its size and hash, all its sentences, or the sentences with given ids."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from textbook.errors import UserError
from textbook.files import read_json

SUMMARY = "corpus.json"
COLUMNS = ["sentence", "source"]
PART_ROWS, MOST_PARTS = 100_000, 500  # every part needs an open file


def shard_paths(folder: Path) -> list[Path]:
    """The shards of a corpus, in the order of their ids."""
    return sorted(folder.glob("*.parquet"))


def corpus_hash(folder: Path) -> str:
    """The hash over the shards of a corpus, computed when they were written. It identifies the corpus.

    Raises:
        UserError: the folder is not a complete corpus.
    """
    summary = folder / SUMMARY
    if not summary.is_file():
        raise UserError(f"{folder}: is not a corpus; it has no {SUMMARY}")
    return str(read_json(summary)["sha256"])


def corpus_size(folder: Path) -> int:
    """The number of sentences in a corpus."""
    return int(read_json(folder / SUMMARY)["kept"])


@dataclass(frozen=True)
class ShardText:
    """The sentences of a shard, in the order of their ids. Each iteration reads them again, a batch at a time."""

    path: Path
    batch_size: int

    def __iter__(self) -> Iterator[str]:
        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(self.batch_size, columns=["sentence"]):
                yield from batch.column(0).to_pylist()


def read_shards(folder: Path, batch_size: int = 65_536) -> list[ShardText]:
    """The sentences of each shard of a corpus, in the order of their ids; nothing is read before they are iterated."""
    return [ShardText(path.absolute(), batch_size) for path in shard_paths(folder)]


def take_sentences(
    folder: Path,
    ids: NDArray[np.int64],
    work: Path | None = None,
    part_rows: int = PART_ROWS,
    columns: Sequence[str] = COLUMNS,
) -> Iterator[pa.Table]:
    """Read the rows (`sentence`, `source`) with the given ids, in the order of the ids, in parts of `part_rows` rows.

    Each shard is read once, and its rows are appended to a temporary file per part. One shard and one part are in
    memory at a time.

    Args:
        work: the folder for temporary files; None: the system's.
        part_rows: rows per part; raised where there would be more than `MOST_PARTS` parts.
        columns: columns with strings to read, if the shards have others than those of a corpus.
    """
    taken = pa.schema([*((name, pa.string()) for name in columns), ("place", pa.int64())])
    part_rows = max(part_rows, len(ids) // MOST_PARTS)
    by_id = np.argsort(ids, kind="stable")
    with TemporaryDirectory(dir=work) as name:
        parts = [Path(name) / f"{first}.arrow" for first in range(0, len(ids), part_rows)]
        with ExitStack() as files:
            writers = [files.enter_context(pa.ipc.new_file(path, taken)) for path in parts]
            first = 0
            for path in shard_paths(folder):
                last = first + pq.read_metadata(path).num_rows
                places = by_id[slice(*np.searchsorted(ids, (first, last), sorter=by_id))]  # in `ids`, of this shard's
                places = places[np.argsort(places // part_rows, kind="stable")]
                rows = pq.read_table(path, columns=list(columns)).take(ids[places] - first)
                rows = rows.append_column("place", pa.array(places)).cast(taken)
                limits = np.searchsorted(places // part_rows, np.arange(len(parts) + 1))
                for writer, start, stop in zip(writers, limits, limits[1:], strict=False):
                    writer.write_table(rows.slice(start, stop - start))
                first = last
        for path in parts:
            with pa.memory_map(str(path)) as file:
                rows = pa.ipc.open_file(file).read_all()
                yield rows.take(np.argsort(rows["place"].to_numpy())).select(list(columns))
            path.unlink()
