"""The search of an earlier version (commit c3a700f), as a peer: the scores in the index, and batches of 1,024 queries.

A posting has its score, computed when indexing, in fp32, and its sentence in 4 bytes. Each batch goes through every
shard, and the hits of the shards are merged. The code is that of the earlier version, except that the index is in
memory.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import get_num_threads, njit, prange
from numpy.typing import NDArray

from textbook.retrieval.hits import Hits
from textbook.words import words

LAST_ID = 2**31 - 1
CANDIDATES = 4
BATCH = 1024


@dataclass(frozen=True)
class ScoredShard:
    """The scores of one shard: word w has `scores[starts[w]:starts[w + 1]]` in the sentences `ids[…]`, from `first`."""

    scores: NDArray[np.float32]
    ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    first: int
    sentences: int


@dataclass(frozen=True)
class EarlierIndex:
    """An index with scores."""

    shards: Sequence[ScoredShard]
    vocabulary: dict[str, int]

    def search(self, queries: Sequence[Sequence[str]], k: int) -> list[Hits]:
        """The top k sentences of each query, one batch after the other."""
        return [self._search(queries[start : start + BATCH], k) for start in range(0, len(queries), BATCH)]

    def _search(self, queries: Sequence[Sequence[str]], k: int) -> Hits:
        known = [[self.vocabulary[word] for word in query if word in self.vocabulary] for query in queries]
        offsets = np.zeros(len(known) + 1, np.int64)
        np.cumsum([len(query) for query in known], out=offsets[1:])
        flat = np.fromiter((word for query in known for word in query), np.int64, offsets[-1])
        return _merge([_search_shard(shard, flat, offsets, k) for shard in self.shards], k)


def index_before(shards: Iterable[Iterable[str]], *, k1: float, b: float) -> EarlierIndex:
    """Index the shards of a corpus. The id of a sentence is its position in the corpus."""
    vocabulary: dict[str, int] = {}
    counted = [_count_words(shard, vocabulary) for shard in shards]
    frequencies = np.zeros(len(vocabulary), np.int64)
    for arrays in counted:
        frequencies[: len(arrays["starts"]) - 1] += np.diff(arrays["starts"])
    sentences, tokens = (int(sum(total(arrays["lengths"]) for arrays in counted)) for total in (len, np.sum))
    idf = np.log1p((sentences - frequencies + 0.5) / (frequencies + 0.5)).astype(np.float32)
    mean_length = max(tokens, 1) / max(sentences, 1)
    scored: list[ScoredShard] = []
    first = 0
    for arrays in counted:
        starts, lengths, ids = arrays["starts"], arrays["lengths"], arrays["ids"]
        norms = (k1 * (1 - b + b * lengths / mean_length)).astype(np.float32)
        frequency = arrays["counts"].astype(np.float32)
        scores = np.repeat(idf[: len(starts) - 1], np.diff(starts)) * (frequency / (norms[ids] + frequency))
        padded = np.pad(starts, (0, len(idf) + 1 - len(starts)), mode="edge")
        scored.append(ScoredShard(scores, ids, padded, first, len(lengths)))
        first += len(lengths)
    return EarlierIndex(scored, vocabulary)


def check_same(hits: Hits, batches: Sequence[Hits]) -> None:
    """Raise an AssertionError unless the hits of all queries equal those of the batches, scores to the bit."""
    for values, earlier in zip(_values([hits]), _values(batches), strict=True):
        np.testing.assert_array_equal(values, earlier)


def _values(parts: Sequence[Hits]) -> list[NDArray[Any]]:
    """The numbers of hits of all queries, and the ids and scores without the padding."""
    valid = [np.arange(part.ids.shape[1]) < part.counts[:, None] for part in parts]
    columns = [
        [part.counts for part in parts],
        [part.ids[mask] for part, mask in zip(parts, valid, strict=True)],
        [part.scores[mask].view(np.int32) for part, mask in zip(parts, valid, strict=True)],
    ]
    return [np.concatenate(column) for column in columns]


def _count_words(sentences: Iterable[str], vocabulary: dict[str, int]) -> dict[str, NDArray[Any]]:
    word_numbers = array("q")
    lengths = array("q")
    for sentence in sentences:
        before = len(word_numbers)
        word_numbers.extend([vocabulary.setdefault(word, len(vocabulary)) for word in words(sentence)])
        lengths.append(len(word_numbers) - before)
    sentence_lengths = np.asarray(lengths, np.int64)
    keys = (np.asarray(word_numbers, np.int64) << 32) | np.repeat(np.arange(len(sentence_lengths)), sentence_lengths)
    keys, counts = np.unique(keys, return_counts=True)
    starts = np.concatenate([[0], np.cumsum(np.bincount(keys >> 32, minlength=len(vocabulary)))])
    ids = (keys & 0xFFFFFFFF).astype(np.int32)
    return {
        "counts": counts.astype(np.uint32),
        "ids": ids,
        "starts": starts,
        "lengths": sentence_lengths.astype(np.int32),
    }


def _merge(parts: Sequence[Hits], k: int) -> Hits:
    if len(parts) == 1:
        return parts[0]
    masks = [np.arange(part.ids.shape[1]) < part.counts[:, None] for part in parts]
    scores = np.concatenate([np.where(mask, part.scores, 0) for part, mask in zip(parts, masks, strict=True)], axis=1)
    ids = np.concatenate([part.ids for part in parts], axis=1)
    best = np.lexsort((ids, -scores), axis=1)[:, :k]
    counts = np.minimum(np.sum([part.counts for part in parts], axis=0), k).astype(np.int32)
    return Hits(np.take_along_axis(ids, best, 1), np.take_along_axis(scores, best, 1), counts)


def _search_shard(shard: ScoredShard, flat: NDArray[np.int64], offsets: NDArray[np.int64], k: int) -> Hits:
    k = min(k, shard.sentences)
    ids, scores, counts = _search(
        flat, offsets, k, shard.scores, shard.ids, shard.starts, shard.sentences, get_num_threads()
    )
    return Hits(ids.astype(np.int64) + shard.first, scores, counts)


@njit(cache=True, parallel=True, nogil=True)
def _search(
    words: NDArray[np.int64],
    offsets: NDArray[np.int64],
    k: int,
    data: NDArray[np.float32],
    indices: NDArray[np.int32],
    starts: NDArray[np.int64],
    sentences: int,
    threads: int,
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int32]]:
    queries = len(offsets) - 1
    top_ids = np.zeros((queries, k), np.int32)
    top_scores = np.zeros((queries, k), np.float32)
    top_bits = top_scores.view(np.int32)
    counts = np.zeros(queries, np.int32)
    for thread in prange(threads):
        totals = np.zeros(sentences, np.float32)
        bits = totals.view(np.int32)  # positive floats have the same order as their bits
        touched = np.empty(sentences + 1, np.int32)
        keys = np.empty(min(sentences, CANDIDATES * k), np.int64)
        for query in range(thread, queries, threads):
            touched_count = 0
            for position in range(offsets[query], offsets[query + 1]):
                word = words[position]
                for entry in range(starts[word], starts[word + 1]):
                    sentence = indices[entry]
                    touched[touched_count] = sentence
                    touched_count += totals[sentence] == 0  # no branch, because it would often be mispredicted
                    totals[sentence] += data[entry]
            size, threshold = 0, np.int32(0)
            for slot in range(touched_count):
                sentence = touched[slot]
                if bits[sentence] >= threshold:
                    # One sortable key: a higher score is larger; at equal scores the lower id is larger.
                    keys[size] = (np.int64(bits[sentence]) << 32) | (LAST_ID - sentence)
                    size += 1
                    if size == len(keys):
                        keys[:k] = np.partition(keys, size - k)[size - k :]
                        size, threshold = k, np.int32(keys[0] >> 32)
                totals[sentence] = 0
            best = np.sort(np.partition(keys[:size], size - k)[size - k :] if size > k else keys[:size])[::-1]
            for rank in range(len(best)):
                top_ids[query, rank] = LAST_ID - (best[rank] & LAST_ID)
                top_bits[query, rank] = best[rank] >> 32
            counts[query] = len(best)
    return top_ids, top_scores, counts
