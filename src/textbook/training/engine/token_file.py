"""Tokenise a textbook once, in parallel and in bounded memory, into memory-mapped files."""

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

from textbook.files import atomic_write, read_json, remove, write_json
from textbook.models.encoder import load_tokenizer
from textbook.ray_tasks import run_all
from textbook.training.engine.tokens import ARRAYS, CHUNK, SUMMARY, encode

COPIED = 1 << 24  # array elements that are copied at a time


def tokenize_book(book: Path, tokenizer: Path, max_length: int, folder: Path) -> None:
    """Tokenise the sentences or pairs of a Parquet file into a folder for `open_tokens`, which is created atomically.

    Row groups are tokenised in parallel, each into its own folder, which is reused after a crash. Each process holds
    only one chunk of texts in memory. A single row group is tokenised in this process, by the tokenizer's own threads.

    Args:
        book: has the column `sentence`, and for pairs also `sentence2`.
        tokenizer: a Hugging Face folder.
        max_length: tokens; longer texts are truncated.
        folder: an existing folder is reused, so its name must identify the inputs. If several processes need the same
            folder, one writes it and the others wait.
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
    with atomic_write(folder) as temporary:
        temporary.mkdir(parents=True)
        totals = {"texts": 0, "tokens": 0, "largest": 0, "longest": 0}
        ids_file, types_file, offsets_file = _create(temporary, tokenizer)
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
        write_json(temporary / SUMMARY, totals)


def _chunks(book: Path, group: int) -> Iterator[tuple[list[str], list[str] | None]]:
    """The sentences of a row group in chunks, with the second sentences if the book has pairs."""
    with pq.ParquetFile(book) as file:
        columns = [name for name in ("sentence", "sentence2") if name in file.schema_arrow.names]
        for rows in file.iter_batches(CHUNK, row_groups=[group], columns=columns):
            first, *second = (column.to_pylist() for column in rows.columns)
            yield first, second[0] if second else None


def _join(parts: list[Path], folder: Path) -> None:
    """Concatenate the texts of several folders into one folder."""
    summaries = [read_json(part / SUMMARY) for part in parts]
    with atomic_write(folder) as temporary:
        temporary.mkdir()
        for name in ARRAYS:
            arrays = [np.load(part / f"{name}.npy", mmap_mode="r") for part in parts]
            file = Column(temporary / f"{name}.npy", arrays[0].dtype)
            shift = 0
            for number, (array, summary) in enumerate(zip(arrays, summaries, strict=True)):
                first = 1 if name == "offsets" and number else 0  # the offsets of each part start with a 0
                for start in range(first, len(array), COPIED):
                    file.append(array[start : start + COPIED] + array.dtype.type(shift))
                shift += summary["tokens"] if name == "offsets" else 0
            file.close()
        sums = {name: sum(summary[name] for summary in summaries) for name in ("texts", "tokens")}
        maxima = {name: max(summary[name] for summary in summaries) for name in ("largest", "longest")}
        write_json(temporary / SUMMARY, sums | maxima)


class Column:
    """A one-dimensional `.npy` file that can be appended to: NumPy's header leaves room for a greater length."""

    def __init__(self, path: Path, dtype: np.dtype[Any]) -> None:
        self.file, self.dtype, self.count = path.open("w+b"), dtype, 0
        self._write_header()

    def append(self, part: NDArray[Any]) -> None:
        """Append to the end of the file."""
        self.file.write(part.astype(self.dtype).data)  # `tofile` would not say why a disk refuses it
        self.count += len(part)

    def close(self) -> None:
        """Write the final length and close the file."""
        self.file.seek(0)
        self._write_header()
        self.file.close()

    def _write_header(self) -> None:
        header = {"descr": self.dtype.str, "fortran_order": False, "shape": (self.count,)}
        write_array_header_1_0(self.file, header)
        self.file.flush()


def _create(folder: Path, tokenizer: PreTrainedTokenizerBase) -> tuple[Column, Column, Column]:
    ids, types, _ = encode(tokenizer, [], None, 1)
    dtypes: list[np.dtype[Any]] = [ids.dtype, types.dtype, np.dtype(np.int64)]
    columns = [Column(folder / f"{name}.npy", dtype) for name, dtype in zip(ARRAYS, dtypes, strict=True)]
    return columns[0], columns[1], columns[2]
