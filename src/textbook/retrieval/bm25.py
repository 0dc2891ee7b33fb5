"""The `bm25s` engine: BM25 (Lucene's variant) in bm25s's format, sharded like the corpus, searched exactly.

bm25s computes the score of every word in every sentence when it indexes. Here the shards of a corpus are indexed one by
one in that format, with the statistics of the whole corpus, so that no score depends on the sharding. The search adds
the scores up itself, because bm25s's own top-k leaves ties to chance and fills up with sentences that share no word
with the query.
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
PLACE = "shard.json"
LAST_ID = 2**31 - 1  # within a shard
CANDIDATES = 4  # times k sentences are held until the best k of them are chosen


@dataclass(frozen=True)
class Shard:
    """The scores of word w in the sentences of a shard are `scores[starts[w]:starts[w + 1]]`, of the `ids` likewise.

    Ids count from `first`.
    """

    scores: NDArray[np.float32]
    ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    first: int
    sentences: int


@dataclass(frozen=True)
class Bm25Index:
    """An open index, memory-mapped."""

    shards: Sequence[Shard]
    vocabulary: dict[str, int]

    @property
    def sentences(self) -> int:
        """How many sentences the corpus has."""
        return sum(shard.sentences for shard in self.shards)

    def search(self, queries: Sequence[Sequence[str]], k: int) -> Hits:
        """See `Index.search`."""
        known = [[self.vocabulary[word] for word in query if word in self.vocabulary] for query in queries]
        offsets = np.zeros(len(known) + 1, np.int64)
        np.cumsum([len(query) for query in known], out=offsets[1:])
        flat = np.fromiter((word for query in known for word in query), np.int64, offsets[-1])
        return merge_hits([_search_shard(shard, flat, offsets, k) for shard in self.shards], k)


def build_bm25(shards: Iterable[Iterable[str]], folder: Path, *, k1: float, b: float) -> None:
    """Index the shards of a corpus, whose sentences have their positions as ids, into an empty folder.

    A first pass counts the words of each shard, a second turns counts into scores, since these need the number of
    sentences, their mean length and the document frequencies of the whole corpus. One shard is in memory at a time.
    """
    vocabulary: dict[str, int] = {}
    frequencies = np.zeros(0, np.int64)
    sentences = tokens = number = 0
    for number, shard in enumerate(shards, start=1):
        counts = _count_words(shard, vocabulary)
        grown = np.diff(counts["starts"])
        frequencies = np.pad(frequencies, (0, len(vocabulary) - len(frequencies))) + grown
        np.savez(folder / f"counts-{number - 1:05}.npz", allow_pickle=False, **counts)
        sentences += len(counts["lengths"])
        tokens += int(counts["lengths"].sum())
    idf = np.log1p((sentences - frequencies + 0.5) / (frequencies + 0.5)).astype(np.float32)
    mean = max(tokens, 1) / max(sentences, 1)
    first = 0
    for place in range(number):
        path = folder / f"counts-{place:05}.npz"
        with np.load(path) as found:
            first += _write_scores(folder / f"{place:05}", dict(found), idf, first, mean, k1=k1, b=b)
        path.unlink()
    write_json(folder / VOCABULARY, vocabulary)


def open_bm25(folder: Path) -> Bm25Index:
    """Open the shards of an index."""
    shards = []
    for path in sorted(path for path in folder.iterdir() if path.is_dir()):
        engine = BM25.load(path, mmap=True, load_vocab=False)
        scores = engine.scores
        first = read_json(path / PLACE)["first"]
        starts = np.asarray(scores["indptr"], np.int64)
        shards.append(Shard(scores["data"], scores["indices"], starts, first, scores["num_docs"]))
    return Bm25Index(shards, read_json(folder / VOCABULARY))


def _count_words(sentences: Iterable[str], vocabulary: dict[str, int]) -> dict[str, NDArray[Any]]:
    """How often each word stands in each sentence; new words join the vocabulary.

    Returns:
        `counts` and `ids` by word, those of word w from `starts[w]` to `starts[w + 1]`, and the words of each sentence
        in `lengths`.
    """
    flat = array("q")
    lengths = array("q")
    for sentence in sentences:
        before = len(flat)
        flat.extend([vocabulary.setdefault(word, len(vocabulary)) for word in words(sentence)])
        lengths.append(len(flat) - before)
    length_of = np.asarray(lengths, np.int64)
    keys = (np.asarray(flat, np.int64) << 32) | np.repeat(np.arange(len(length_of)), length_of)
    keys, counts = np.unique(keys, return_counts=True)
    starts = np.concatenate([[0], np.cumsum(np.bincount(keys >> 32, minlength=len(vocabulary)))])
    ids = (keys & 0xFFFFFFFF).astype(np.int32)
    return {"counts": counts.astype(np.uint16), "ids": ids, "starts": starts, "lengths": length_of.astype(np.int32)}


def _write_scores(
    folder: Path,
    counted: dict[str, NDArray[Any]],
    idf: NDArray[np.float32],
    first: int,
    mean: float,
    *,
    k1: float,
    b: float,
) -> int:
    """Turn the counts of a shard into scores and write them as bm25s does.

    Args:
        idf: of every word, over the whole corpus.
        first: id of the first sentence.
        mean: words of a sentence, over the whole corpus.

    Returns:
        How many sentences the shard has.
    """
    starts, lengths = counted["starts"], counted["lengths"]
    norms = (k1 * (1 - b + b * lengths / mean)).astype(np.float32)
    frequency = counted["counts"].astype(np.float32)
    scores = np.repeat(idf[: len(starts) - 1], np.diff(starts)) * (frequency / (norms[counted["ids"]] + frequency))
    engine = BM25(method="lucene", k1=k1, b=b)
    padded = np.pad(starts, (0, len(idf) + 1 - len(starts)), mode="edge")  # words of later shards have no entry here
    engine.scores = {"data": scores, "indices": counted["ids"], "indptr": padded, "num_docs": len(lengths)}
    engine.vocab_dict = {}  # one vocabulary serves all shards
    engine.nonoccurrence_array = None  # of other variants of BM25
    engine.save(folder, show_progress=False)
    write_json(folder / PLACE, {"first": first})
    return len(lengths)


def _search_shard(shard: Shard, flat: NDArray[np.int64], offsets: NDArray[np.int64], k: int) -> Hits:
    """Search one shard for queries of word numbers; those of query q are `flat[offsets[q]:offsets[q + 1]]`."""
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
        bits = totals.view(np.int32)  # scores are positive, so their bits rank as they do
        touched = np.empty(sentences + 1, np.int32)
        keys = np.empty(min(sentences, CANDIDATES * k), np.int64)
        for query in range(thread, queries, threads):
            found = 0
            for position in range(offsets[query], offsets[query + 1]):
                word = words[position]
                for entry in range(starts[word], starts[word + 1]):
                    sentence = indices[entry]
                    touched[found] = sentence
                    found += totals[sentence] == 0  # no branch: it would often be guessed wrong
                    totals[sentence] += data[entry]
            size, bar = 0, np.int32(0)
            for slot in range(found):
                sentence = touched[slot]
                if bits[sentence] >= bar:
                    # One number to compare: a higher score is more, at the same score the lower id.
                    keys[size] = (np.int64(bits[sentence]) << 32) | (LAST_ID - sentence)
                    size += 1
                    if size == len(keys):
                        keys[:k] = np.partition(keys, size - k)[size - k :]
                        size, bar = k, np.int32(keys[0] >> 32)
                totals[sentence] = 0
            best = np.sort(np.partition(keys[:size], size - k)[size - k :] if size > k else keys[:size])[::-1]
            for place in range(len(best)):
                top_ids[query, place] = LAST_ID - (best[place] & LAST_ID)
                top_bits[query, place] = best[place] >> 32
            counts[query] = len(best)
    return top_ids, top_scores, counts
