"""Evaluation sentences must never reach a textbook.

Whether a sentence leaks is decided on its words. As hardly one of millions does, hashes over its bytes tell first, some
fifty times as fast, for which sentences it has to be looked at: equal words have equal hashes.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
from numba import get_num_threads, njit, prange
from numpy.typing import NDArray

from textbook.words import words

APOSTROPHE, OTHER = ord("'"), 1
# What each byte is: the lower case of a letter, a digit, an apostrophe, beyond ASCII, or (0) between words.
CLASSES = np.zeros(256, np.uint8)
CLASSES[128:] = OTHER
for _byte in b"'abcdefghijklmnopqrstuvwxyz0123456789":
    CLASSES[[_byte, ord(chr(_byte).upper())]] = _byte

BASE = 0x2545F4914F6CDD1D  # words are the digits of one number in it, modulo 2**64

Hashes = NDArray[np.int64]


class LeakFilter:
    """Recognises sentences that repeat evaluation data.

    A sentence leaks if its words are those of an evaluation sentence, or if it shares `ngram` consecutive words with
    one. Case and punctuation don't count.
    """

    def __init__(self, evaluation: Iterable[str], ngram: int) -> None:
        self.ngram = ngram
        self.exact: set[tuple[str, ...]] = set()
        self.grams: set[tuple[str, ...]] = set()
        for sentence in evaluation:
            tokens = words(sentence)
            self.exact.add(tuple(tokens))
            self.grams.update(_ngrams(tokens, ngram))
        # Letters beyond ASCII are left out here, because a sentence that has one is always looked at.
        known = [" ".join(tokens).encode("ascii", "ignore") for tokens in (*self.exact, *self.grams)]
        self.table = _make_table(*_as_bytes(pa.array(known, pa.binary())))

    def leaks(self, sentence: str) -> bool:
        """Whether a sentence repeats evaluation data."""
        tokens = words(sentence)
        return tuple(tokens) in self.exact or not self.grams.isdisjoint(_ngrams(tokens, self.ngram))

    def find(self, sentences: pa.ChunkedArray) -> NDArray[np.bool_]:
        """Which of some sentences repeat evaluation data."""
        found = [np.zeros(0, np.bool_)]
        for chunk in sentences.chunks:
            leaks = _suspect(*_as_bytes(chunk), self.ngram, self.table, get_num_threads())
            places = np.flatnonzero(leaks)
            leaks[places] = [self.leaks(sentence) for sentence in chunk.take(places).to_pylist()]
            found.append(leaks)
        return np.concatenate(found)


def _ngrams(tokens: Sequence[str], n: int) -> Iterable[tuple[str, ...]]:
    return zip(*(tokens[start:] for start in range(n)), strict=False)  # ends with the shortest: all whole n-grams


def _as_bytes(texts: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """The bytes of all texts, and where each begins and the last ends."""
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, np.int32, len(texts) + 1, 4 * texts.offset) if len(texts) else np.zeros(1, np.int32)
    return np.frombuffer(data or b"", np.uint8), ends


@njit(cache=True)
def _hash_words(text: NDArray[np.uint8], start: int, stop: int, sums: Hashes) -> int:
    """Hash the words of a sentence as `textbook.words` has them: `sums[n]` stands for the first n of them.

    Gives how many there are, or -1 if it can't say.
    """
    sums[0] = 0
    count, value = 0, 0  # a word that has begun has a value
    place = start
    while place < stop:
        kind = CLASSES[text[place]]
        width = 1
        if kind == OTHER:
            if text[place] != 0xE2 or text[place + 1] != 0x80:  # other than dashes, quotes and the like
                return -1
            kind = APOSTROPHE if text[place + 2] == 0x99 else 0
            width = 3
        place += width
        if kind == APOSTROPHE and (place == stop or CLASSES[text[place]] <= APOSTROPHE):
            kind = 0  # stands at the end of a word
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
def _mix(total: int, count: int) -> int:
    """The hash of so many words with this sum, its bits well spread; never 0."""
    value = (total ^ (total >> 29) ^ count) * BASE
    return value ^ (value >> 32) | 1


@njit(cache=True)
def _make_table(text: NDArray[np.uint8], ends: NDArray[np.int32]) -> Hashes:
    """A hash table (open addressing) of the given texts, all words of each together."""
    size = 16
    while size < 4 * len(ends):
        size *= 2
    table = np.zeros(size, np.int64)
    sums = np.empty(_longest(ends) + 1, np.int64)
    for number in range(len(ends) - 1):
        count = _hash_words(text, ends[number], ends[number + 1], sums)
        value = _mix(sums[count], count)
        table[_slot(table, value)] = value
    return table


@njit(cache=True)
def _slot(table: Hashes, value: int) -> int:
    """Where a hash is in the table, or may be put."""
    slot = (value >> 20) & (len(table) - 1)
    while table[slot] != 0 and table[slot] != value:
        slot = (slot + 1) & (len(table) - 1)
    return slot


@njit(cache=True)
def _longest(ends: NDArray[np.int32]) -> int:
    """No sentence has more words than that."""
    longest = 0
    for number in range(len(ends) - 1):
        longest = max(longest, ends[number + 1] - ends[number])
    return longest // 2 + 1


@njit(cache=True, parallel=True)
def _suspect(
    text: NDArray[np.uint8], ends: NDArray[np.int32], ngram: int, table: Hashes, threads: int
) -> NDArray[np.bool_]:
    """Which sentences may leak: those with a known hash, or with a letter beyond ASCII."""
    sentences, longest = len(ends) - 1, _longest(ends)
    suspects = np.zeros(sentences, np.bool_)
    shift = 1  # moves a sum past the words of a run
    for _ in range(ngram):
        shift *= BASE
    for thread in prange(threads):
        sums = np.empty(longest + 1, np.int64)
        for number in range(thread * sentences // threads, (thread + 1) * sentences // threads):
            count = _hash_words(text, ends[number], ends[number + 1], sums)
            suspect = count < 0 or table[_slot(table, _mix(sums[count], count))] != 0
            for stop in range(ngram, count + 1):
                run = sums[stop] - sums[stop - ngram] * shift
                suspect = suspect or table[_slot(table, _mix(run, ngram))] != 0
            suspects[number] = suspect
    return suspects
