"""A textbook on disk: sentences, the most relevant first, each with its rank, score and source."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from textbook.corpus.take import take_sentences
from textbook.errors import UserError
from textbook.textbooks.leaks import LeakFilter

SCHEMA = pa.schema([("sentence", pa.string()), ("rank", pa.int32()), ("score", pa.float32()), ("source", pa.string())])
PAIR_SCHEMA = SCHEMA.insert(1, pa.field("sentence2", pa.string()))


def write_book(
    corpus: Path,
    ids: NDArray[np.int64],
    leaks: LeakFilter,
    target: Path,
    *,
    rank: NDArray[np.int32] | None = None,
    score: NDArray[np.float32] | None = None,
) -> dict[str, int]:
    """Write the corpus sentences `ids` in their order, without those that repeat evaluation data; a part at a time.

    Args:
        rank, score: of each of `ids`; empty where nothing was searched.

    Returns:
        How many `sentences` were written, their `bytes` in UTF-8 with a newline after each, and how many were `leaks`.

    Raises:
        UserError: nothing is left.
    """
    sentences = size = first = 0
    parquet = pq.ParquetWriter(target, SCHEMA, compression="zstd", use_dictionary=["source"])
    with parquet as writer, ThreadPoolExecutor(1) as beside:  # a part is written while the next is looked up
        writing: Future[None] | None = None
        for rows in take_sentences(corpus, ids, target.parent):
            stop = first + rows.num_rows
            columns = [_part(rank, first, stop), _part(score, first, stop)]
            book = pa.table([rows["sentence"], *columns, rows["source"]], names=SCHEMA.names).cast(SCHEMA)
            book = book.filter(pa.array(~leaks.find(rows["sentence"])))
            if writing:
                writing.result()
            writing = beside.submit(writer.write_table, book)
            sentences += book.num_rows
            size += (pc.sum(pc.binary_length(book["sentence"])).as_py() or 0) + book.num_rows
            first = stop
        if writing:
            writing.result()
    if not sentences:
        target.unlink()
        raise UserError(f"{target.name}: no sentence of {corpus} is left for this textbook")
    return {"sentences": sentences, "bytes": size, "leaks": len(ids) - sentences}


def _part(values: NDArray[Any] | None, start: int, stop: int) -> pa.Array:
    return pa.nulls(stop - start) if values is None else pa.array(values[start:stop])


def read_book(path: Path) -> tuple[list[str], list[str] | None]:
    """The sentences of a textbook, in order; the second list is None unless it is one of pairs."""
    columns = [name for name in ("sentence", "sentence2") if name in pq.read_schema(path).names]
    first, *second = (column.to_pylist() for column in pq.read_table(path, columns=columns).columns)
    return first, second[0] if second else None
