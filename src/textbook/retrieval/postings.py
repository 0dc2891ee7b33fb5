"""The index of one shard: how often which word occurs in which of its sentences.

A shard is indexed alone and has a vocabulary of its own, so no word is dropped, no array grows with the corpus, and
shards can be indexed side by side. What depends on the whole corpus, idf and mean length, is applied when searching.

A posting is a sentence and a count in 4 bytes. With the words and one byte for the length of a sentence, that is 4.3
bytes a posting: 103 GB for 160 GB of text. Indexing a million sentences of 18 words takes about 1 GB of memory.
"""

import zlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from textbook.files import atomic_write, read_json, write_json
from textbook.retrieval.damage import refuse_damage
from textbook.words import words

INFO = "shard.json"
WORDS, POSTINGS, LENGTHS = "words.arrow", "postings.npy", "lengths.npy"
READ_BYTES = 1 << 20
COUNT_BITS = 8  # of a posting of 32 bits; the other 24 are the sentence


@dataclass(frozen=True)
class ShardInfo:
    """Where the index of a shard is, its numbers of sentences and of words, and the id of its first sentence."""

    path: Path
    first: int
    sentences: int
    tokens: int


@dataclass(frozen=True)
class ShardIndex:
    """The open, memory-mapped index of a shard.

    The sentences of a shard are counted from 0. A posting is `sentence << count_bits | count`. Those of the n-th word
    are `postings[stops[n] - frequencies[n]:stops[n]]`, by sentence.

    Shapes: `words` (in the order of their UTF-8 bytes), `frequencies` (the number of sentences with the word) and
    `stops` [words], `postings` [postings], `lengths` (the number of words of each sentence) [sentences].
    """

    words: pa.ChunkedArray
    frequencies: NDArray[np.int64]
    stops: NDArray[np.int64]
    postings: NDArray[Any]
    lengths: NDArray[Any]

    @property
    def count_bits(self) -> int:
        """The number of bits of the count in a posting; 32 where a sentence or a count does not fit into 32 bits."""
        return COUNT_BITS if self.postings.dtype == np.uint32 else 32

    def find(self, wanted: pa.StringArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the postings of each of the distinct words `wanted` start and stop; 0 and 0 for a word it lacks."""
        places = pc.fill_null(pc.index_in(self.words, value_set=wanted), -1).to_numpy()
        known = np.flatnonzero(places >= 0)
        starts, stops = np.zeros((2, len(wanted)), np.int64)
        stops[places[known]] = self.stops[known]
        starts[places[known]] = self.stops[known] - self.frequencies[known]
        return starts, stops


def index_shard(sentences: Iterable[str], folder: Path) -> None:
    """Write the index of a shard. The same sentences give the same files to the byte."""
    numbers: dict[str, int] = {}
    tokens, lengths = array("I"), array("I")
    for sentence in sentences:
        found = words(sentence)
        tokens.extend([numbers.setdefault(word, len(numbers)) for word in found])
        lengths.append(len(found))
    vocabulary = pa.array(list(numbers), pa.string())
    order = pc.array_sort_indices(vocabulary)
    ranks = np.empty(len(numbers), np.int64)
    ranks[order.to_numpy()] = np.arange(len(numbers))
    # One sortable key per occurrence: the word in the upper 32 bits, the sentence in the lower 32.
    keys = (ranks << 32)[np.asarray(tokens)] | np.repeat(np.arange(len(lengths)), np.asarray(lengths))
    keys, counts = np.unique(keys, return_counts=True)
    frequencies = np.bincount(keys >> 32, minlength=len(numbers)).astype(np.uint32)
    table = pa.table({"word": vocabulary.take(order), "frequency": frequencies})
    with atomic_write(folder) as temporary:
        temporary.mkdir()
        with pa.ipc.new_file(temporary / WORDS, table.schema) as file:
            file.write_table(table)
        np.save(temporary / POSTINGS, _pack(keys & 0xFFFFFFFF, counts, len(lengths)))
        longest = max(lengths, default=0)
        np.save(temporary / LENGTHS, np.asarray(lengths).astype(np.min_scalar_type(longest)))
        sums = {name: _checksum(temporary / name) for name in (WORDS, POSTINGS, LENGTHS)}
        write_json(temporary / INFO, {"sentences": len(lengths), "tokens": len(tokens), "crc32": sums})


def read_info(path: Path, first: int) -> ShardInfo:
    """Read the totals of the index of a shard whose first sentence has the id `first`.

    Raises:
        UserError: the index is damaged, or is that of an earlier version.
    """
    with refuse_damage(path):
        info = read_json(path / INFO)
        return ShardInfo(path.absolute(), first, info["sentences"], info["tokens"])


def check_shard(path: Path) -> None:
    """Check that the files of the index of a shard are those that were written: a search trusts every posting.

    Raises:
        UserError: the index is damaged.
    """
    with refuse_damage(path):
        for name, written in read_json(path / INFO)["crc32"].items():
            if _checksum(path / name) != written:
                raise ValueError(f"{name} is not as it was written")


def open_shard(path: Path) -> ShardIndex:
    """Open the index of a shard.

    Raises:
        UserError: the index is damaged.
    """
    with refuse_damage(path):
        with pa.memory_map(str(path / WORDS)) as file:
            table = pa.ipc.open_file(file).read_all()
        frequencies = table["frequency"].to_numpy().astype(np.int64)
        postings, lengths = (np.load(path / name, mmap_mode="r") for name in (POSTINGS, LENGTHS))
        return ShardIndex(table["word"], frequencies, np.cumsum(frequencies), postings, lengths)


def _checksum(path: Path) -> int:
    """The CRC-32 of a file: 1 to 3 GB/s, of an index that is read once anyway."""
    value = 0
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            value = zlib.crc32(block, value)
    return value


def _pack(sentences: NDArray[np.int64], counts: NDArray[np.int64], shard_sentences: int) -> NDArray[Any]:
    """Pack postings into 32 bits each, or into 64 if the shard is larger or a word more frequent than fits."""
    if shard_sentences <= 1 << 32 - COUNT_BITS and counts.max(initial=0) < 1 << COUNT_BITS:
        return (sentences << COUNT_BITS | counts).astype(np.uint32)
    return sentences << 32 | counts
