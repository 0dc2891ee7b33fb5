"""The `bm25s` engine: exact BM25 search (Lucene's variant) over a sharded index in bm25s's format.

bm25s computes the score of every word in every sentence at indexing time. This module indexes the shards of a corpus
one by one in that format. It uses the statistics of the whole corpus, so scores do not depend on the sharding. The
search sums the scores itself: bm25s's own top-k breaks ties arbitrarily and pads its results with sentences that share
no word with the query.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bm25s import BM25
from numba import get_num_threads, njit, prange
from numpy.typing import NDArray

from textbook.files import read_json, write_json
from textbook.retrieval.hits import Hits, merge_hits
from textbook.words import words

VOCABULARY = "vocabulary.json"
SHARD_INFO = "shard.json"
LAST_ID = 2**31 - 1  # largest sentence id within a shard
CANDIDATES = 4  # the candidate buffer holds CANDIDATES * k sentences before it is cut to the best k


@dataclass(frozen=True)
class Shard:
    """The scores of one shard as a sparse matrix, stored by word.

    Word w has the scores `scores[starts[w]:starts[w + 1]]` in the sentences `ids[starts[w]:starts[w + 1]]`. These ids
    are relative to `first`, the id of the shard's first sentence.
    """

    scores: NDArray[np.float32]
    ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    first: int
    sentences: int


@dataclass(frozen=True)
class Bm25Index:
    """An open, memory-mapped index."""

    shards: Sequence[Shard]
    vocabulary: dict[str, int]

    @property
    def sentences(self) -> int:
        """Number of sentences in the corpus."""
        return sum(shard.sentences for shard in self.shards)

    def search(self, queries: Sequence[Sequence[str]], k: int) -> Hits:
        """See `SearchIndex.search`."""
        known = [[self.vocabulary[word] for word in query if word in self.vocabulary] for query in queries]
        offsets = np.zeros(len(known) + 1, np.int64)
        np.cumsum([len(query) for query in known], out=offsets[1:])
        flat = np.fromiter((word for query in known for word in query), np.int64, offsets[-1])
        return merge_hits([_search_shard(shard, flat, offsets, k) for shard in self.shards], k)


def build_bm25(shards: Iterable[Iterable[str]], folder: Path, *, k1: float, b: float) -> None:
    """Index the shards of a corpus into an empty folder. The id of a sentence is its position in the corpus.

    The first pass counts the words of each shard. The second pass turns counts into scores, which need the number of
    sentences, their mean length and the document frequencies of the whole corpus. One shard is in memory at a time.
    """
    vocabulary: dict[str, int] = {}
    frequencies = np.zeros(0, np.int64)
    sentences = tokens = shard_count = 0
    for shard_count, shard in enumerate(shards, start=1):
        counts = _count_words(shard, vocabulary)
        shard_frequencies = np.diff(counts["starts"])
        frequencies = np.pad(frequencies, (0, len(vocabulary) - len(frequencies))) + shard_frequencies
        np.savez(folder / f"counts-{shard_count - 1:05}.npz", allow_pickle=False, **counts)
        sentences += len(counts["lengths"])
        tokens += int(counts["lengths"].sum())
    idf = np.log1p((sentences - frequencies + 0.5) / (frequencies + 0.5)).astype(np.float32)
    mean_length = max(tokens, 1) / max(sentences, 1)
    first = 0
    for number in range(shard_count):
        path = folder / f"counts-{number:05}.npz"
        with np.load(path) as arrays:
            first += _write_scores(folder / f"{number:05}", dict(arrays), idf, first, mean_length, k1=k1, b=b)
        path.unlink()
    write_json(folder / VOCABULARY, vocabulary)


def open_bm25(folder: Path) -> Bm25Index:
    """Open the shards of an index."""
    shards = []
    for path in sorted(path for path in folder.iterdir() if path.is_dir()):
        engine = BM25.load(path, mmap=True, load_vocab=False)
        scores = engine.scores
        first = read_json(path / SHARD_INFO)["first"]
        starts = np.asarray(scores["indptr"], np.int64)
        shards.append(Shard(scores["data"], scores["indices"], starts, first, scores["num_docs"]))
    return Bm25Index(shards, read_json(folder / VOCABULARY))


def _count_words(sentences: Iterable[str], vocabulary: dict[str, int]) -> dict[str, NDArray[Any]]:
    """Count each word in each sentence and add new words to the vocabulary.

    Returns:
        `counts`, `ids` and `starts`: word w occurs in the sentences `ids[starts[w]:starts[w + 1]]`, with the counts at
        the same positions. `lengths`: the number of words of each sentence.
    """
    word_numbers = array("q")
    lengths = array("q")
    for sentence in sentences:
        before = len(word_numbers)
        word_numbers.extend([vocabulary.setdefault(word, len(vocabulary)) for word in words(sentence)])
        lengths.append(len(word_numbers) - before)
    sentence_lengths = np.asarray(lengths, np.int64)
    # One sortable key per occurrence: the word in the upper 32 bits, the sentence in the lower 32.
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


def _write_scores(
    folder: Path,
    arrays: dict[str, NDArray[Any]],
    idf: NDArray[np.float32],
    first: int,
    mean_length: float,
    *,
    k1: float,
    b: float,
) -> int:
    """Turn the counts of a shard into scores and write them in bm25s's format.

    Args:
        arrays: the result of `_count_words`.
        idf: inverse document frequency of every word, over the whole corpus.
        first: id of the shard's first sentence.
        mean_length: mean number of words per sentence, over the whole corpus.

    Returns:
        The number of sentences in the shard.
    """
    starts, lengths = arrays["starts"], arrays["lengths"]
    norms = (k1 * (1 - b + b * lengths / mean_length)).astype(np.float32)
    frequency = arrays["counts"].astype(np.float32)
    scores = np.repeat(idf[: len(starts) - 1], np.diff(starts)) * (frequency / (norms[arrays["ids"]] + frequency))
    engine = BM25(method="lucene", k1=k1, b=b)
    padded = np.pad(starts, (0, len(idf) + 1 - len(starts)), mode="edge")  # words first seen in later shards
    engine.scores = {"data": scores, "indices": arrays["ids"], "indptr": padded, "num_docs": len(lengths)}
    engine.vocab_dict = {}  # all shards share one vocabulary, stored separately
    engine.nonoccurrence_array = None  # used by other variants of BM25 only
    engine.save(folder, show_progress=False)
    write_json(folder / SHARD_INFO, {"first": first})
    return len(lengths)


def _search_shard(shard: Shard, flat: NDArray[np.int64], offsets: NDArray[np.int64], k: int) -> Hits:
    """Search one shard. Query q consists of the word numbers `flat[offsets[q]:offsets[q + 1]]`."""
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
