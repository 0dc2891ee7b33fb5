"""Keep evaluation data out of textbooks.

Whether a sentence leaks is decided on its words. Hardly any of millions of sentences leak, so hashes over the bytes
preselect the suspects about fifty times as fast. Equal words have equal hashes.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
from numba import get_num_threads, njit, prange
from numpy.typing import NDArray

from textbook.words import words

APOSTROPHE, OTHER = ord("'"), 1
# Class of each byte: a letter in lower case, a digit, an apostrophe, OTHER (beyond ASCII), or 0 (separator).
CLASSES = np.zeros(256, np.uint8)
CLASSES[128:] = OTHER
for _byte in b"'abcdefghijklmnopqrstuvwxyz0123456789":
    CLASSES[[_byte, ord(chr(_byte).upper())]] = _byte

BASE = 0x2545F4914F6CDD1D  # a run of words is hashed as a number to this base, with word hashes as digits, modulo 2**64

Hashes = NDArray[np.int64]


class LeakFilter:
    """Detects sentences that repeat evaluation data.

    A sentence leaks if it has the same words as an evaluation sentence, or shares `ngram` consecutive words with one.
    Case and punctuation are ignored.
    """

    def __init__(self, evaluation: Iterable[str], ngram: int) -> None:
        self.ngram = ngram
        self.exact: set[tuple[str, ...]] = set()
        self.grams: set[tuple[str, ...]] = set()
        for sentence in evaluation:
            tokens = words(sentence)
            self.exact.add(tuple(tokens))
            self.grams.update(_ngrams(tokens, ngram))
        # Letters beyond ASCII can be dropped here, because every sentence that has one is a suspect anyway.
        texts = [" ".join(tokens).encode("ascii", "ignore") for tokens in (*self.exact, *self.grams)]
        self.table = _make_table(*_as_bytes(pa.array(texts, pa.binary())))

    def leaks(self, sentence: str) -> bool:
        """Whether a sentence repeats evaluation data."""
        tokens = words(sentence)
        return tuple(tokens) in self.exact or not self.grams.isdisjoint(_ngrams(tokens, self.ngram))

    def find(self, sentences: pa.ChunkedArray) -> NDArray[np.bool_]:
        """Whether each sentence repeats evaluation data; shape [sentences]."""
        masks = [np.zeros(0, np.bool_)]
        for chunk in sentences.chunks:
            leaks = _suspect(*_as_bytes(chunk), self.ngram, self.table, get_num_threads())
            suspects = np.flatnonzero(leaks)
            leaks[suspects] = [self.leaks(sentence) for sentence in chunk.take(suspects).to_pylist()]
            masks.append(leaks)
        return np.concatenate(masks)


def _ngrams(tokens: Sequence[str], n: int) -> Iterable[tuple[str, ...]]:
    return zip(*(tokens[start:] for start in range(n)), strict=False)  # stops at the shortest: complete n-grams only


def _as_bytes(texts: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """The bytes of all texts, and their offsets: text n is `data[offsets[n]:offsets[n + 1]]`."""
    _, buffer, data = texts.buffers()
    offsets = np.frombuffer(buffer, np.int32, len(texts) + 1, 4 * texts.offset) if len(texts) else np.zeros(1, np.int32)
    return np.frombuffer(data or b"", np.uint8), offsets


@njit(cache=True)
def _hash_words(text: NDArray[np.uint8], start: int, stop: int, sums: Hashes) -> int:
    """Hash the words of the sentence `text[start:stop]`, with words as defined by `textbook.words`.

    Args:
        sums: output; `sums[n]` is the hash of the first n words.

    Returns:
        The number of words, or -1 if the sentence has a character beyond ASCII that is not general punctuation.
    """
    sums[0] = 0
    count, value = 0, 0  # value: hash of the current word, 0 between words
    position = start
    while position < stop:
        kind = CLASSES[text[position]]
        width = 1
        if kind == OTHER:
            if text[position] != 0xE2 or text[position + 1] != 0x80:  # not general punctuation (dashes, quotes)
                return -1
            kind = APOSTROPHE if text[position + 2] == 0x99 else 0
            width = 3
        position += width
        if kind == APOSTROPHE and (position == stop or CLASSES[text[position]] <= APOSTROPHE):
            kind = 0  # not followed by a letter or digit, so not inside a word
        if kind > APOSTROPHE or (kind and value):
            value = (value ^ kind) * 0x100000001B3 + 0x9E3779B97F4A7C1
        elif value:
            sums[count + 1] = sums[count] * BASE + value
            count, value = count + 1, 0
    if value:
        sums[count + 1] = sums[count] * BASE + value
        count += 1
    return count


@njit(cache=True)
def _mix(run: int, count: int) -> int:
    """Mix the hash and the number of words of a run into one well-distributed hash, which is never 0."""
    value = (run ^ (run >> 29) ^ count) * BASE
    return value ^ (value >> 32) | 1


@njit(cache=True)
def _make_table(text: NDArray[np.uint8], offsets: NDArray[np.int32]) -> Hashes:
    """Make a hash table (open addressing) with one entry per text, the hash of all its words."""
    size = 16
    while size < 4 * len(offsets):
        size *= 2
    table = np.zeros(size, np.int64)
    sums = np.empty(_longest(offsets) + 1, np.int64)
    for number in range(len(offsets) - 1):
        count = _hash_words(text, offsets[number], offsets[number + 1], sums)
        value = _mix(sums[count], count)
        table[_slot(table, value)] = value
    return table


@njit(cache=True)
def _slot(table: Hashes, value: int) -> int:
    """The slot of a hash in the table, or the free slot where it belongs."""
    slot = (value >> 20) & (len(table) - 1)
    while table[slot] != 0 and table[slot] != value:
        slot = (slot + 1) & (len(table) - 1)
    return slot


@njit(cache=True)
def _longest(offsets: NDArray[np.int32]) -> int:
    """An upper bound on the number of words of a sentence."""
    longest = 0
    for number in range(len(offsets) - 1):
        longest = max(longest, offsets[number + 1] - offsets[number])
    return longest // 2 + 1


@njit(cache=True, parallel=True)
def _suspect(
    text: NDArray[np.uint8], offsets: NDArray[np.int32], ngram: int, table: Hashes, threads: int
) -> NDArray[np.bool_]:
    """Whether each sentence may leak: it has a known hash, or `_hash_words` cannot hash it."""
    sentences, longest = len(offsets) - 1, _longest(offsets)
    suspects = np.zeros(sentences, np.bool_)
    shift = 1  # becomes BASE**ngram, which aligns the hash of a prefix with a longer one
    for _ in range(ngram):
        shift *= BASE
    for thread in prange(threads):
        sums = np.empty(longest + 1, np.int64)
        for number in range(thread * sentences // threads, (thread + 1) * sentences // threads):
            count = _hash_words(text, offsets[number], offsets[number + 1], sums)
            suspect = count < 0 or table[_slot(table, _mix(sums[count], count))] != 0
            for stop in range(ngram, count + 1):
                run = sums[stop] - sums[stop - ngram] * shift
                suspect = suspect or table[_slot(table, _mix(run, ngram))] != 0
            suspects[number] = suspect
    return suspects
