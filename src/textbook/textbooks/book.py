"""A textbook on disk: sentences, the most relevant first, each with its rank, score and source."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from textbook.corpus.shards import take_sentences
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
    """Write the corpus sentences `ids` in their order, without those that repeat evaluation data.

    Args:
        rank, score: of each of `ids`; empty where nothing was searched.

    Returns:
        How many `sentences` were written, their `bytes` in UTF-8 with a newline after each, and how many were `leaks`.

    Raises:
        UserError: nothing is left.
    """
    rows = take_sentences(corpus, ids)
    empty = pa.nulls(len(ids))
    columns = [rows["sentence"], empty if rank is None else rank, empty if score is None else score, rows["source"]]
    book = pa.table([pa.chunked_array([c]) if isinstance(c, pa.Array) else c for c in columns], names=SCHEMA.names)
    book = book.cast(SCHEMA).filter(pa.array(~leaks.find(rows["sentence"])))
    if not book.num_rows:
        raise UserError(f"{target.name}: no sentence of {corpus} is left for this textbook")
    pq.write_table(book, target, compression="zstd", use_dictionary=["source"])
    size = pc.sum(pc.binary_length(book["sentence"])).as_py() + book.num_rows
    return {"sentences": book.num_rows, "bytes": size, "leaks": len(ids) - book.num_rows}


def read_book(path: Path) -> tuple[list[str], list[str] | None]:
    """The sentences of a textbook, in order; the second list is None unless it is one of pairs."""
    columns = [name for name in ("sentence", "sentence2") if name in pq.read_schema(path).names]
    first, *second = (column.to_pylist() for column in pq.read_table(path, columns=columns).columns)
    return first, second[0] if second else None
