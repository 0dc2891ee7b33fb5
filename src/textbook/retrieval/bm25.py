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


@njit(cache=True)
def _before(score_a: float, id_a: int, score_b: float, id_b: int) -> bool:
    """Whether hit a ranks before hit b."""
    return score_a > score_b or (score_a == score_b and id_a < id_b)


@njit(cache=True)
def _sink(scores: NDArray[np.float32], ids: NDArray[np.int32], position: int, size: int) -> None:
    """Restore the heap, whose root is the hit that ranks last, below `position`."""
    while True:
        child = 2 * position + 1
        if child >= size:
            return
        if child + 1 < size and _before(scores[child], ids[child], scores[child + 1], ids[child + 1]):
            child += 1
        if not _before(scores[position], ids[position], scores[child], ids[child]):
            return
        scores[position], scores[child] = scores[child], scores[position]
        ids[position], ids[child] = ids[child], ids[position]
        position = child


@njit(cache=True, parallel=True)
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
    counts = np.zeros(queries, np.int32)
    for thread in prange(threads):
        totals = np.zeros(sentences, np.float32)
        touched = np.empty(sentences, np.int32)
        for query in range(thread, queries, threads):
            found = 0
            for position in range(offsets[query], offsets[query + 1]):
                word = words[position]
                for entry in range(starts[word], starts[word + 1]):
                    sentence = indices[entry]
                    if totals[sentence] == 0:
                        touched[found] = sentence
                        found += 1
                    totals[sentence] += data[entry]
            ids, scores = top_ids[query], top_scores[query]
            size = min(k, found)
            for slot in range(size):
                ids[slot], scores[slot] = touched[slot], totals[touched[slot]]
            for slot in range(size // 2 - 1, -1, -1):
                _sink(scores, ids, slot, size)
            for slot in range(size, found):
                sentence = touched[slot]
                if _before(totals[sentence], sentence, scores[0], ids[0]):
                    scores[0], ids[0] = totals[sentence], sentence
                    _sink(scores, ids, 0, size)
            for end in range(size - 1, 0, -1):  # heap sort: the last of the rest goes to the end
                scores[0], scores[end] = scores[end], scores[0]
                ids[0], ids[end] = ids[end], ids[0]
                _sink(scores, ids, 0, end)
            for slot in range(found):
                totals[touched[slot]] = 0
            counts[query] = size
    return top_ids, top_scores, counts
