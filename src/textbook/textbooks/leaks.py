"""Keep evaluation data out of textbooks.

Whether a sentence leaks is decided on its words. Hardly any of millions of sentences leak, so hashes over the bytes
preselect the suspects about fifty times as fast. Equal words have equal hashes.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
from numba import get_num_threads, njit, prange
from numpy.typing import NDArray

from textbook.word_bytes import BASE, Hashes, hash_words, most_words, text_bytes
from textbook.words import canonical, words


class LeakFilter:
    """Detects sentences that repeat evaluation data.

    A sentence leaks if it has the same words as an evaluation sentence, or shares `ngram` consecutive words with one.
    Case and punctuation are ignored, so the same text always leaks. Of sentences without a word ("!!!"), only the same
    text leaks.
    """

    def __init__(self, evaluation: Iterable[str], ngram: int) -> None:
        self.ngram = ngram
        self.exact: set[tuple[str, ...]] = set()
        self.grams: set[tuple[str, ...]] = set()
        self.wordless: set[str] = set()
        for sentence in evaluation:
            tokens = words(sentence)
            self.exact.add(tuple(tokens))
            if not tokens:
                self.wordless.add(canonical(sentence))
            self.grams.update(_ngrams(tokens, ngram))
        # Sentences that cannot be hashed are left out, because every sentence with the same words is a suspect anyway.
        texts = [" ".join(tokens) for tokens in (*self.exact, *self.grams)]
        self.table = _make_table(*text_bytes(pa.array(texts, pa.string())))

    def leaks(self, sentence: str) -> bool:
        """Whether a sentence repeats evaluation data."""
        tokens = words(sentence)
        if not tokens:
            return canonical(sentence) in self.wordless
        return tuple(tokens) in self.exact or not self.grams.isdisjoint(_ngrams(tokens, self.ngram))

    def find(self, sentences: pa.ChunkedArray) -> NDArray[np.bool_]:
        """Whether each sentence repeats evaluation data; shape [sentences]."""
        masks = [np.zeros(0, np.bool_)]
        for chunk in sentences.chunks:
            leaks = _suspect(*text_bytes(chunk), self.ngram, self.table, get_num_threads())
            suspects = np.flatnonzero(leaks)
            leaks[suspects] = [self.leaks(sentence) for sentence in chunk.take(suspects).to_pylist()]
            masks.append(leaks)
        return np.concatenate(masks)


def _ngrams(tokens: Sequence[str], n: int) -> Iterable[tuple[str, ...]]:
    return zip(*(tokens[start:] for start in range(n)), strict=False)  # stops at the shortest: complete n-grams only


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
    sums = np.empty(most_words(offsets) + 1, np.int64)
    for number in range(len(offsets) - 1):
        count = hash_words(text, offsets[number], offsets[number + 1], sums)
        if count >= 0:
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


@njit(cache=True, parallel=True)
def _suspect(
    text: NDArray[np.uint8], offsets: NDArray[np.int32], ngram: int, table: Hashes, threads: int
) -> NDArray[np.bool_]:
    """Whether each sentence may leak: it has a known hash, or `hash_words` cannot hash it."""
    sentences, longest = len(offsets) - 1, most_words(offsets)
    suspects = np.zeros(sentences, np.bool_)
    shift = 1  # becomes BASE**ngram, which aligns the hash of a prefix with a longer one
    for _ in range(ngram):
        shift *= BASE
    for thread in prange(threads):
        sums = np.empty(longest + 1, np.int64)
        for number in range(thread * sentences // threads, (thread + 1) * sentences // threads):
            count = hash_words(text, offsets[number], offsets[number + 1], sums)
            suspect = count < 0 or table[_slot(table, _mix(sums[count], count))] != 0
            for stop in range(ngram, count + 1):
                run = sums[stop] - sums[stop - ngram] * shift
                suspect = suspect or table[_slot(table, _mix(run, ngram))] != 0
            suspects[number] = suspect
    return suspects
