"""The `whoosh` engine: an index in pure Python that is updated in place and opened without numba.

The scores are those of the other engine but for one thing: Whoosh keeps the length of a sentence in one byte, as Lucene
does, so lengths from 11 words up are rounded a little.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log1p
from pathlib import Path
from typing import Any

import numpy as np
from whoosh import index as whoosh_index
from whoosh.analysis.tokenizers import SpaceSeparatedTokenizer
from whoosh.fields import NUMERIC, TEXT, Schema
from whoosh.query.compound import Or
from whoosh.query.terms import Term
from whoosh.scoring import WeightingModel, WeightLengthScorer

from textbook.retrieval.hits import Hits
from textbook.words import words

FIELD = "sentence"


@dataclass(frozen=True)
class _Lucene(WeightingModel):
    """BM25 as Lucene has it since version 8: no factor k1 + 1, and an idf that is never negative."""

    k1: float
    b: float

    def scorer(self, searcher: Any, fieldname: str, text: str, qf: int = 1) -> WeightLengthScorer:
        return _LuceneScorer(searcher, fieldname, text, self)


class _LuceneScorer(WeightLengthScorer):
    """Scores one word."""

    def __init__(self, searcher: Any, fieldname: str, text: str, model: _Lucene) -> None:
        whole = searcher.get_parent()  # statistics of all segments
        frequency = whole.doc_frequency(fieldname, text)
        self.idf = log1p((whole.doc_count_all() - frequency + 0.5) / (frequency + 0.5))
        self.mean = whole.avg_field_length(fieldname) or 1
        self.model = model
        self.setup(searcher, fieldname, text)

    def _score(self, weight: float, length: int) -> float:
        norm = self.model.k1 * (1 - self.model.b + self.model.b * length / self.mean)
        return self.idf * weight / (norm + weight)


@dataclass(frozen=True)
class WhooshIndex:
    """An open index."""

    searcher: Any
    sentences: int

    def search(self, queries: Sequence[Sequence[str]], k: int) -> Hits:
        """See `Index.search`."""
        shape = (len(queries), min(k, self.sentences))
        ids, scores, counts = np.zeros(shape, np.int64), np.zeros(shape, np.float32), np.zeros(len(queries), np.int32)
        for number, query in enumerate(queries):
            terms = [Term(FIELD, word, boost=float(times)) for word, times in Counter(query).items()]
            # Whoosh breaks ties by the order of its documents, which is that of the ids.
            found = list(self.searcher.search(Or(terms), limit=shape[1]).items())
            counts[number] = len(found)
            ids[number, : len(found)] = [self.searcher.stored_fields(document)["id"] for document, _ in found]
            scores[number, : len(found)] = [score for _, score in found]
        return Hits(ids, scores, counts)


def build_whoosh(shards: Iterable[Iterable[str]], folder: Path) -> None:
    """Index the shards of a corpus, whose sentences have their positions as ids, into an empty folder."""
    schema = Schema(id=NUMERIC(stored=True, bits=64), sentence=TEXT(analyzer=SpaceSeparatedTokenizer(), phrase=False))
    writer = whoosh_index.create_in(str(folder), schema).writer(limitmb=512)
    number = 0
    for shard in shards:
        for sentence in shard:
            writer.add_document(id=number, sentence=" ".join(words(sentence)))
            number += 1
    writer.commit(optimize=True)


def open_whoosh(folder: Path, *, k1: float, b: float) -> WhooshIndex:
    """Open an index."""
    found = whoosh_index.open_dir(str(folder))
    return WhooshIndex(found.searcher(weighting=_Lucene(k1, b)), found.doc_count())
