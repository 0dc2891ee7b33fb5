"""Reading sentences of a corpus by id, in any order and any number."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from textbook.corpus.shards import shard_paths

COLUMNS = ["sentence", "source"]
SCHEMA = pa.schema([("sentence", pa.string()), ("source", pa.string()), ("place", pa.int64())])
PART_ROWS, MOST_PARTS = 100_000, 500  # a part has a file open for it


def take_sentences(
    folder: Path, ids: NDArray[np.int64], work: Path | None = None, part_rows: int = PART_ROWS
) -> Iterator[pa.Table]:
    """The rows `sentence, source` of the given ids, in their order, so many at a time.

    Each shard is read once. What it has for each part of the result waits on the disk for what the other shards have,
    so a shard and a part are in memory at a time.

    Args:
        work: the folder on whose disk it waits; None: that of the system for temporary files.
    """
    part_rows = max(part_rows, len(ids) // MOST_PARTS)
    by_id = np.argsort(ids, kind="stable")
    with TemporaryDirectory(dir=work) as name:
        parts = [Path(name) / f"{first}.arrow" for first in range(0, len(ids), part_rows)]
        with ExitStack() as files:
            writers = [files.enter_context(pa.ipc.new_file(path, SCHEMA)) for path in parts]
            first = 0
            for path in shard_paths(folder):
                last = first + pq.read_metadata(path).num_rows
                mine = by_id[slice(*np.searchsorted(ids, (first, last), sorter=by_id))]
                mine = mine[np.argsort(mine // part_rows, kind="stable")]
                rows = pq.read_table(path, columns=COLUMNS).take(ids[mine] - first)
                rows = rows.append_column("place", pa.array(mine)).cast(SCHEMA)
                limits = np.searchsorted(mine // part_rows, np.arange(len(parts) + 1))
                for writer, start, stop in zip(writers, limits, limits[1:], strict=False):
                    writer.write_table(rows.slice(start, stop - start))
                first = last
        for path in parts:
            with pa.memory_map(str(path)) as file:
                rows = pa.ipc.open_file(file).read_all()
                yield rows.take(np.argsort(rows["place"].to_numpy())).select(COLUMNS)
            path.unlink()
