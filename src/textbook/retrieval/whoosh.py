"""The `whoosh` engine: an index in pure Python that can be updated in place and needs no numba.

Its scores equal those of the `bm25s` engine except for the length normalisation: like Lucene, Whoosh stores the length
of a sentence in one byte, so lengths of 11 words and more are rounded.

The files of an index are pickles. They are read by `textbook.retrieval.pickles`, which runs no code that is in them, so
an index from a DVC remote that others write to can give wrong hits, but no more. DVC compares an index with `dvc.lock`.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from math import log1p
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm
from whoosh import index as whoosh_index
from whoosh.analysis.tokenizers import SpaceSeparatedTokenizer
from whoosh.fields import NUMERIC, TEXT, Schema
from whoosh.query.compound import Or
from whoosh.query.terms import Term
from whoosh.scoring import WeightingModel, WeightLengthScorer

from textbook.retrieval.damage import refuse_damage
from textbook.retrieval.hits import Hits
from textbook.retrieval.pickles import read_safely
from textbook.words import words

FIELD = "sentence"
SCHEMA = Schema(id=NUMERIC(stored=True, bits=64), sentence=TEXT(analyzer=SpaceSeparatedTokenizer(), phrase=False))

read_safely()


@dataclass(frozen=True)
class _Lucene(WeightingModel):
    """BM25 as in Lucene since version 8: without the factor k1 + 1, and with an idf that is never negative."""

    k1: float
    b: float

    def scorer(self, searcher: Any, fieldname: str, text: str, qf: int = 1) -> WeightLengthScorer:
        return _LuceneScorer(searcher, fieldname, text, self)


class _LuceneScorer(WeightLengthScorer):
    """Scores sentences for one word."""

    def __init__(self, searcher: Any, fieldname: str, text: str, model: _Lucene) -> None:
        parent = searcher.get_parent()  # has the statistics of all segments
        frequency = parent.doc_frequency(fieldname, text)
        self.idf = log1p((parent.doc_count_all() - frequency + 0.5) / (frequency + 0.5))
        self.mean_length = parent.avg_field_length(fieldname) or 1
        self.model = model
        self.setup(searcher, fieldname, text)

    def _score(self, weight: float, length: int) -> float:
        norm = self.model.k1 * (1 - self.model.b + self.model.b * length / self.mean_length)
        return self.idf * weight / (norm + weight)


@dataclass(frozen=True)
class WhooshIndex:
    """An open index."""

    searcher: Any
    sentences: int
    folder: Path

    def search(self, queries: Sequence[Sequence[str]], k: int) -> Hits:
        """See `SearchIndex.search`.

        Raises:
            UserError: the index is damaged.
        """
        with refuse_damage(self.folder):
            return self._search(queries, k)

    def _search(self, queries: Sequence[Sequence[str]], k: int) -> Hits:
        shape = (len(queries), min(k, self.sentences))
        ids, scores, counts = np.zeros(shape, np.int64), np.zeros(shape, np.float32), np.zeros(len(queries), np.int32)
        for number, query in enumerate(tqdm(queries, desc="search", unit="query", leave=False, disable=None)):
            terms = [Term(FIELD, word, boost=float(count)) for word, count in Counter(query).items()]
            # Whoosh breaks ties by document number; documents are numbered in order of their ids.
            hits = list(self.searcher.search(Or(terms), limit=shape[1]).items())
            counts[number] = len(hits)
            ids[number, : len(hits)] = [self.searcher.stored_fields(document)["id"] for document, _ in hits]
            scores[number, : len(hits)] = [score for _, score in hits]
        return Hits(ids, scores, counts)


def build_whoosh(shards: Iterable[Iterable[str]], folder: Path) -> None:
    """Index the shards of a corpus into an empty folder. The id of a sentence is its position in the corpus.

    The same sentences give the same files to the byte.
    """
    with _seeded():  # Whoosh draws the names of its files at random
        # The one file that `compound` makes of them would have the time in it.
        writer = whoosh_index.create_in(str(folder), SCHEMA).writer(limitmb=512, compound=False)
        sentences = tqdm(chain.from_iterable(shards), desc="index", unit="sentence", disable=None)
        for sentence_id, sentence in enumerate(sentences):
            writer.add_document(id=sentence_id, sentence=" ".join(words(sentence)))
        writer.commit(optimize=True)


def open_whoosh(folder: Path, *, k1: float, b: float) -> WhooshIndex:
    """Open an index.

    Raises:
        UserError: the index is damaged.
    """
    with refuse_damage(folder):
        index = whoosh_index.open_dir(str(folder), schema=SCHEMA)
        return WhooshIndex(index.searcher(weighting=_Lucene(k1, b)), index.doc_count(), folder)


@contextmanager
def _seeded() -> Iterator[None]:
    """Give Python's random numbers a seed inside the block, and afterwards the state they had."""
    state = random.getstate()
    random.seed(0)
    try:
        yield
    finally:
        random.setstate(state)
