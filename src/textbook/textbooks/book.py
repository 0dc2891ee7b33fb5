"""Read and write textbooks: Parquet files of sentences, most relevant first, with rank, score and source."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from tqdm import tqdm

from textbook.corpus.shards import take_sentences
from textbook.errors import UserError
from textbook.textbooks.leaks import LeakFilter

SCHEMA = pa.schema([("sentence", pa.string()), ("rank", pa.int32()), ("score", pa.float32()), ("source", pa.string())])
PAIR_SCHEMA = SCHEMA.insert(1, pa.field("sentence2", pa.string()))
MADE_SCHEMA = PAIR_SCHEMA.append(pa.field("made", pa.string()))


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
    """Write the corpus sentences `ids` in the given order, without those that repeat evaluation data.

    The sentences are processed in parts to bound memory.

    Args:
        partners: for a textbook of pairs, the id of the second sentence of each pair. A pair is left out if either of
            its sentences repeats evaluation data.
        rank, score: rank and score of each of `ids`; None for a textbook that is not the result of a search.

    Returns:
        `sentences`: the number of sentences written. `bytes`: their size in UTF-8, with a newline after each. `leaks`:
        the number of rows left out.

    Raises:
        UserError: no sentence is left.
    """
    schema = SCHEMA if partners is None else PAIR_SCHEMA

    def parts() -> Iterator[pa.Table]:
        first = 0
        sides = [take_sentences(corpus, side, target.parent) for side in (ids, partners) if side is not None]
        with tqdm(total=len(ids), desc="write", unit="row", disable=None) as progress:
            for tables in zip(*sides, strict=True):
                stop = first + tables[0].num_rows
                sentences = [table["sentence"] for table in tables]
                columns = [*sentences, _slice(rank, first, stop), _slice(score, first, stop), tables[0]["source"]]
                yield pa.table(columns, names=schema.names)
                first = stop
                progress.update(tables[0].num_rows)

    return write_parts(parts(), schema, corpus, leaks, target)


def write_parts(
    parts: Iterable[pa.Table], schema: pa.Schema, corpus: Path, leaks: LeakFilter, target: Path
) -> dict[str, int]:
    """Write tables as one textbook, without the rows in which a text repeats evaluation data.

    One part is written while the next one is made.

    Args:
        schema: the columns of each part, in order, and their types.
        corpus: where the sentences are from, for messages.

    Returns:
        As `write_book` does.

    Raises:
        UserError: no sentence is left.
    """
    rows = size = left_out = 0
    text_columns = [name for name in ("sentence", "sentence2") if name in schema.names]
    parquet = pq.ParquetWriter(target, schema, compression="zstd", use_dictionary=["source"])
    with parquet as writer, ThreadPoolExecutor(1) as executor:
        writing: Future[None] | None = None
        for table in parts:
            leaking = np.any([leaks.find(table[name]) for name in text_columns], axis=0)
            part = table.cast(schema).filter(pa.array(~leaking))
            if writing:
                writing.result()
            writing = executor.submit(writer.write_table, part)
            rows += part.num_rows
            size += sum((pc.sum(pc.binary_length(part[name])).as_py() or 0) + part.num_rows for name in text_columns)
            left_out += table.num_rows - part.num_rows
        if writing:
            writing.result()
    if not rows:
        target.unlink()
        raise UserError(f"{target.name}: no sentence of {corpus} is left for this textbook")
    return {"sentences": rows * len(text_columns), "bytes": size, "leaks": left_out}


def _slice(values: NDArray[Any] | None, start: int, stop: int) -> pa.Array:
    return pa.nulls(stop - start) if values is None else pa.array(values[start:stop])


def read_book(path: Path) -> tuple[list[str], list[str] | None]:
    """Read the sentences of a textbook, in order.

    Returns:
        The sentences, and the second sentence of each pair; the latter is None unless it is a textbook of pairs.
    """
    columns = [name for name in ("sentence", "sentence2") if name in pq.read_schema(path).names]
    first, *second = (column.to_pylist() for column in pq.read_table(path, columns=columns).columns)
    return first, second[0] if second else None
