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
    partners: NDArray[np.int64] | None = None,
    rank: NDArray[np.int32] | None = None,
    score: NDArray[np.float32] | None = None,
) -> dict[str, int]:
    """Write the corpus sentences `ids` in their order, without those that repeat evaluation data; a part at a time.

    Args:
        partners: for a book of pairs the second sentence of each; a pair of which either is a repetition is left out.
        rank, score: of each of `ids`; empty where nothing was searched.

    Returns:
        How many `sentences` were written, their `bytes` in UTF-8 with a newline after each, and how many rows were
        `leaks`.

    Raises:
        UserError: nothing is left.
    """
    rows = size = first = 0
    schema = SCHEMA if partners is None else PAIR_SCHEMA
    texts = [name for name in ("sentence", "sentence2") if name in schema.names]
    taken = [take_sentences(corpus, part, target.parent) for part in (ids, partners) if part is not None]
    parquet = pq.ParquetWriter(target, schema, compression="zstd", use_dictionary=["source"])
    with parquet as writer, ThreadPoolExecutor(1) as beside:  # a part is written while the next is looked up
        writing: Future[None] | None = None
        for found in zip(*taken, strict=True):
            stop = first + found[0].num_rows
            sentences = [part["sentence"] for part in found]
            columns = [*sentences, _part(rank, first, stop), _part(score, first, stop), found[0]["source"]]
            leaking = np.any([leaks.find(part) for part in sentences], axis=0)
            book = pa.table(columns, names=schema.names).cast(schema).filter(pa.array(~leaking))
            if writing:
                writing.result()
            writing = beside.submit(writer.write_table, book)
            rows += book.num_rows
            size += sum((pc.sum(pc.binary_length(book[name])).as_py() or 0) + book.num_rows for name in texts)
            first = stop
        if writing:
            writing.result()
    if not rows:
        target.unlink()
        raise UserError(f"{target.name}: no sentence of {corpus} is left for this textbook")
    return {"sentences": rows * len(texts), "bytes": size, "leaks": len(ids) - rows}


def _part(values: NDArray[Any] | None, start: int, stop: int) -> pa.Array:
    return pa.nulls(stop - start) if values is None else pa.array(values[start:stop])


def read_book(path: Path) -> tuple[list[str], list[str] | None]:
    """The sentences of a textbook, in order; the second list is None unless it is one of pairs."""
    columns = [name for name in ("sentence", "sentence2") if name in pq.read_schema(path).names]
    first, *second = (column.to_pylist() for column in pq.read_table(path, columns=columns).columns)
    return first, second[0] if second else None
