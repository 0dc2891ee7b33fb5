"""A textbook tokenised once, in parallel and in bounded memory, into a file that is mapped."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from filelock import FileLock
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from textbook.files import read_json, remove, write_aside, write_json
from textbook.models.encoder import load_tokenizer
from textbook.parallel import run_all
from textbook.training.tokens import ARRAYS, CHUNK, SUMMARY, encode

COPIED = 1 << 24  # numbers that are copied together


def tokenize_book(book: Path, tokenizer: Path, max_length: int, folder: Path) -> None:
    """Tokenise the sentences, or pairs, of a Parquet file into a folder for `open_tokens`, whole or not at all.

    Row groups are tokenised side by side, each into a folder of its own that outlives a crash; no more than a chunk of
    texts is in memory. A single row group is left to the threads of the tokenizer.

    Args:
        book: with the column `sentence`, and `sentence2` if it is one of pairs.
        tokenizer: a Hugging Face folder.
        max_length: tokens; longer texts are cut.
        folder: named by what is tokenised, for what is there already is taken as it is. Of several processes that want
            the same one, one makes it and the others wait.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        if folder.is_dir():
            return
        groups = pq.ParquetFile(book).num_row_groups
        work = folder.with_name(f"{folder.name}.parts")
        parts = [work / f"{group:06}" for group in range(groups)]
        size = book.stat().st_size
        run_all(partial(_tokenize_group, book, tokenizer, max_length), list(enumerate(parts)), "tokenize", size)
        _join(parts, folder)
        remove(work)


def _tokenize_group(book: Path, tokenizer_folder: Path, max_length: int, item: tuple[int, Path]) -> None:
    group, folder = item
    if folder.is_dir():
        return
    tokenizer = load_tokenizer(tokenizer_folder)
    with write_aside(folder) as aside:
        aside.mkdir(parents=True)
        totals = {"texts": 0, "tokens": 0, "largest": 0, "longest": 0}
        ids_file, types_file, offsets_file = _create(aside, tokenizer)
        offsets_file.append(np.zeros(1, np.int64))
        for texts in _chunks(book, group):
            ids, types, lengths = encode(tokenizer, *texts, max_length)
            ids_file.append(ids)
            types_file.append(types)
            offsets_file.append(totals["tokens"] + np.cumsum(lengths, dtype=np.int64))
            totals["texts"] += len(lengths)
            totals["tokens"] += len(ids)
            totals["largest"] = max(totals["largest"], int(ids.max(initial=0)))
            totals["longest"] = max(totals["longest"], int(lengths.max(initial=0)))
        for file in (ids_file, types_file, offsets_file):
            file.close()
        write_json(aside / SUMMARY, totals)


def _chunks(book: Path, group: int) -> Iterator[tuple[list[str], list[str] | None]]:
    """The sentences of a row group, and the second ones if it is a book of pairs."""
    with pq.ParquetFile(book) as file:
        columns = [name for name in ("sentence", "sentence2") if name in file.schema_arrow.names]
        for rows in file.iter_batches(CHUNK, row_groups=[group], columns=columns):
            first, *second = (column.to_pylist() for column in rows.columns)
            yield first, second[0] if second else None


def _join(parts: list[Path], folder: Path) -> None:
    """Put the texts of several folders into one, one after the other."""
    summaries = [read_json(part / SUMMARY) for part in parts]
    with write_aside(folder) as aside:
        aside.mkdir()
        for name in ARRAYS:
            arrays = [np.load(part / f"{name}.npy", mmap_mode="r") for part in parts]
            file = Column(aside / f"{name}.npy", arrays[0].dtype)
            before = 0
            for number, (array, summary) in enumerate(zip(arrays, summaries, strict=True)):
                first = 1 if name == "offsets" and number else 0  # each part's offsets begin with a 0
                for at in range(first, len(array), COPIED):
                    file.append(array[at : at + COPIED] + array.dtype.type(before))
                before += summary["tokens"] if name == "offsets" else 0
            file.close()
        sums = {name: sum(summary[name] for summary in summaries) for name in ("texts", "tokens")}
        most = {name: max(summary[name] for summary in summaries) for name in ("largest", "longest")}
        write_json(aside / SUMMARY, sums | most)


class Column:
    """A one-dimensional `.npy` file that grows at its end: NumPy leaves room in the header for a greater length."""

    def __init__(self, path: Path, dtype: np.dtype[Any]) -> None:
        self.file, self.dtype, self.count = path.open("w+b"), dtype, 0
        self._write_header()

    def append(self, part: NDArray[Any]) -> None:
        """Write at the end of the file."""
        part.astype(self.dtype).tofile(self.file)
        self.count += len(part)

    def close(self) -> None:
        """Write how long it has become."""
        self.file.seek(0)
        self._write_header()
        self.file.close()

    def _write_header(self) -> None:
        header = {"descr": self.dtype.str, "fortran_order": False, "shape": (self.count,)}
        write_array_header_1_0(self.file, header)
        self.file.flush()


def _create(folder: Path, tokenizer: PreTrainedTokenizerBase) -> tuple[Column, Column, Column]:
    ids, types, _ = encode(tokenizer, [], None, 1)
    kinds: list[np.dtype[Any]] = [ids.dtype, types.dtype, np.dtype(np.int64)]
    one, two, three = (Column(folder / f"{name}.npy", kind) for name, kind in zip(ARRAYS, kinds, strict=True))
    return one, two, three
