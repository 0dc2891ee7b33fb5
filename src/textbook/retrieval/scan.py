"""The compiled loop of the search: the BM25 scores of the sentences of a shard, and the best of them for each query."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

LAST_ID = 2**32 - 1  # the largest id of a sentence
CANDIDATES = 4  # the candidate buffer holds CANDIDATES * k sentences before it is cut to the best k


@njit(cache=True, nogil=True, error_model="numpy")  # no test for divisors of 0, of which there are none
def scan_shard(
    words: NDArray[np.int64],
    offsets: NDArray[np.int64],
    idf: NDArray[np.float32],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    postings: NDArray[Any],
    count_bits: int,
    lengths: NDArray[Any],
    norms: NDArray[np.float32],
    first: int,
    window: int,
    best: NDArray[np.int64],
    threads: int,
    thread: int,
) -> None:
    """Merge the sentences of a shard into the best k of every query whose number is `thread` modulo `threads`.

    The shard is read a window of sentences at a time, so that their scores stay in the core's own cache. A score is
    the sum of `idf * (count / (norm + count))` in float32, in the order of the query's words.

    Args:
        words, offsets: query q consists of the words `words[offsets[q]:offsets[q + 1]]`.
        idf: the weight of each word.
        starts, stops: the postings of each word in this shard.
        postings, count_bits, lengths: see `ShardIndex`.
        norms: the length normalisation of a sentence, by its length.
        first: the id of the shard's first sentence.
        window: the number of sentences in a window.
        best: updated; [queries, k] keys. A key has the bits of the score in its upper half, and `LAST_ID` minus the id
            in its lower half: a higher score is larger, and at equal scores the lower id. The first key of a row is its
            smallest; 0 is none.
    """
    k, sentences, mask = best.shape[1], len(lengths), (1 << count_bits) - 1
    totals = np.zeros(min(window, sentences), np.float32)
    bits = totals.view(np.int32)  # positive floats have the same order as their bits
    touched = np.empty(len(totals) + 1, np.uint32)  # unsigned: an index of Python may be negative, which costs time
    keys = np.empty(CANDIDATES * k, np.int64)
    longest = 0
    for query in range(len(offsets) - 1):
        longest = max(longest, offsets[query + 1] - offsets[query])
    cursors = np.empty(longest, np.int64)
    for query in range(thread, len(offsets) - 1, threads):
        begin, length = offsets[query], offsets[query + 1] - offsets[query]
        for position in range(length):
            cursors[position] = starts[words[begin + position]]
        keys[:k] = best[query]
        size, bar = k, keys[0]
        for low in range(0, sentences, window):
            limit, window_lengths = (low + window) << count_bits, lengths[low : low + window]
            touched_count = np.uint64(0)
            for position in range(length):
                word = words[begin + position]
                weight, entry, stop = idf[word], cursors[position], stops[word]
                while entry < stop:
                    posting = np.int64(postings[entry])
                    if posting >= limit:
                        break
                    sentence = np.uint32((posting >> count_bits) - low)
                    count = np.float32(posting & mask)
                    touched[touched_count] = sentence
                    touched_count += np.uint64(totals[sentence] == 0)  # a branch would often be mispredicted
                    totals[sentence] += weight * (count / (norms[window_lengths[sentence]] + count))
                    entry += 1
                cursors[position] = entry
            threshold = np.int32(bar >> 32)
            for slot in range(touched_count):
                sentence = touched[slot]
                if bits[sentence] >= threshold:
                    key = (np.int64(bits[sentence]) << 32) | (LAST_ID - (first + low + np.int64(sentence)))
                    if key > bar:
                        keys[size] = key
                        size += 1
                        if size == len(keys):
                            keys[:k] = np.partition(keys, size - k)[size - k :]
                            size, bar = k, keys[0]
                            threshold = np.int32(bar >> 32)
                totals[sentence] = 0
        best[query] = np.partition(keys[:size], size - k)[size - k :]
