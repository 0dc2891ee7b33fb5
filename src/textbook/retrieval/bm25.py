"""A BM25 index over a corpus (Lucene's variant), built by bm25s and searched exactly.

bm25s computes the score of every word in every sentence when it indexes. The search below adds them up itself, because
bm25s's own top-k leaves ties to chance and fills up with sentences that share no word with the query.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import bm25s
import numpy as np
from bm25s.tokenization import Tokenized
from numba import get_num_threads, njit, prange
from numpy.typing import NDArray

from textbook.errors import UserError
from textbook.files import read_json, write_aside, write_json
from textbook.words import words

SUMMARY = "index.json"


@dataclass(frozen=True)
class Bm25Index:
    """An open index. The scores of word w are `scores[starts[w]:starts[w + 1]]`, of the sentences in `ids` likewise."""

    scores: NDArray[np.float32]
    ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    vocabulary: dict[str, int]
    sentences: int
    corpus_sha256: str


@dataclass(frozen=True)
class Hits:
    """The best sentences of a batch of queries: those of query q are `ids[q, :counts[q]]`, best first, ties by id.

    Shapes: `ids` and `scores` [queries, k], `counts` [queries].
    """

    ids: NDArray[np.int32]
    scores: NDArray[np.float32]
    counts: NDArray[np.int32]


def build_index(sentences: Iterable[str], folder: Path, *, k1: float, b: float, corpus_sha256: str) -> dict[str, int]:
    """Index sentences, whose ids are their positions.

    Returns:
        How many `sentences` and distinct `words` the index has.
    """
    vocabulary: dict[str, int] = {}
    token_ids = [[vocabulary.setdefault(word, len(vocabulary)) for word in words(sentence)] for sentence in sentences]
    engine = bm25s.BM25(method="lucene", k1=k1, b=b)
    engine.index(Tokenized(ids=token_ids, vocab=vocabulary), create_empty_token=False, show_progress=False)
    with write_aside(folder) as aside:
        engine.save(aside, show_progress=False)
        counts = {"sentences": len(token_ids), "words": len(vocabulary)}
        write_json(aside / SUMMARY, {**counts, "k1": k1, "b": b, "corpus_sha256": corpus_sha256})
    return counts


def open_index(folder: Path, corpus_sha256: str) -> Bm25Index:
    """Open an index, memory-mapped.

    Raises:
        UserError: there is none, or it was made from another corpus.
    """
    if not (folder / SUMMARY).is_file():
        raise UserError(f"{folder}: is not an index; `dvc repro index` makes it")
    summary = read_json(folder / SUMMARY)
    if summary["corpus_sha256"] != corpus_sha256:
        raise UserError(f"{folder}: was made from another corpus; `dvc repro index` makes it anew")
    engine = bm25s.BM25.load(folder, mmap=True)
    matrix = engine.scores
    return Bm25Index(
        scores=matrix["data"],
        ids=matrix["indices"],
        starts=np.asarray(matrix["indptr"], dtype=np.int64),
        vocabulary=engine.vocab_dict,
        sentences=summary["sentences"],
        corpus_sha256=corpus_sha256,
    )


def search(index: Bm25Index, queries: Sequence[Sequence[str]], k: int) -> Hits:
    """The top k sentences of each query by BM25. A word that stands twice in a query counts twice.

    Sentences without a word of the query are no hits, so a query can have fewer than k.
    """
    known = [[index.vocabulary[word] for word in query if word in index.vocabulary] for query in queries]
    offsets = np.zeros(len(known) + 1, np.int64)
    np.cumsum([len(query) for query in known], out=offsets[1:])
    flat = np.fromiter((word for query in known for word in query), np.int64, offsets[-1])
    return Hits(
        *_search(
            flat,
            offsets,
            min(k, index.sentences),
            index.scores,
            index.ids,
            index.starts,
            index.sentences,
            get_num_threads(),
        )
    )


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
