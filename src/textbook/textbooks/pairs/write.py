"""Writing a textbook of pairs that are as alike as those of the task."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from tqdm import tqdm

from textbook.corpus.shards import take_sentences
from textbook.textbooks.book import MADE_SCHEMA, write_parts
from textbook.textbooks.leaks import LeakFilter
from textbook.textbooks.pairs.likeness import Likeness
from textbook.textbooks.pairs.paired import PAIR_COLUMNS, pair_up

PAIR_SEED = 0
RANDOM_GROUP = 40  # sentences of a random sample among which pairs are made, as among those of an anchor


def write_paired(
    corpus: Path,
    ids: NDArray[np.int64],
    groups: NDArray[Any],
    wanted: Likeness,
    leaks: LeakFilter,
    target: Path,
    *,
    rank: NDArray[np.int32] | None = None,
    score: NDArray[np.float32] | None = None,
    most_bytes: int | None = None,
) -> dict[str, int]:
    """Write pairs made of corpus sentences, without those in which a text repeats evaluation data.

    The sentences are processed in parts to bound memory. A group that lies in two parts counts as two.

    Args:
        ids: the sentences, in the order of their groups.
        groups: the group of each sentence, see `pair_up`; shape [ids].
        wanted: the pairs of the task.
        rank, score: of each of `ids`, for a textbook that is the result of a search. The pairs are ordered by rank,
            score and id of the sentence that they were made for. None: they keep the order of `ids`.
        most_bytes: pairs at the end are left out, so that the textbook has at most this many bytes.

    Returns:
        As `write_book` does.

    Raises:
        UserError: no sentence is left.
    """
    with TemporaryDirectory(dir=target.parent) as name:
        folder = Path(name)
        made: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
        sizes: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
        first = 0
        with tqdm(total=len(ids), desc="pair up", unit="sentence") as progress:
            for number, rows in enumerate(take_sentences(corpus, ids, folder)):
                part = slice(first, first + rows.num_rows)
                table, chosen = pair_up(rows, groups[part].astype(np.int64), wanted, ids[part], PAIR_SEED)
                pq.write_table(table, folder / f"{number:06}.parquet")
                made.append(first + chosen)
                sizes.append(_sizes(table))
                first += rows.num_rows
                progress.update(rows.num_rows)
        bases, size = np.concatenate(made), np.concatenate(sizes)
        order = np.arange(len(bases))
        if rank is not None and score is not None:
            order = np.lexsort((ids[bases], -score[bases], rank[bases]))
        if most_bytes is not None:
            order = order[: np.searchsorted(np.cumsum(size[order]), most_bytes, side="right")]
        parts = _ordered(folder, order, bases[order], rank, score)
        return write_parts(parts, MADE_SCHEMA, corpus, leaks, target)


def _sizes(table: pa.Table) -> NDArray[np.int64]:
    """The bytes of each pair, with a newline after each text."""
    lengths = [pc.binary_length(table[name].combine_chunks()).to_numpy() for name in ("sentence", "sentence2")]
    return np.asarray(lengths[0] + lengths[1] + 2, np.int64)


def _ordered(
    folder: Path,
    order: NDArray[np.int64],
    bases: NDArray[np.int64],
    rank: NDArray[np.int32] | None,
    score: NDArray[np.float32] | None,
) -> Iterator[pa.Table]:
    """The pairs in the files of a folder, in the given order, with the rank and score of their sentences `bases`."""
    first = 0
    for table in take_sentences(folder, order, folder, columns=PAIR_COLUMNS):
        part = bases[first : first + table.num_rows]
        first += table.num_rows
        for name, values in (("rank", rank), ("score", score)):
            table = table.append_column(name, pa.nulls(len(part)) if values is None else pa.array(values[part]))
        yield table.select(MADE_SCHEMA.names)
