"""From a task and an index to the contextualized textbook: what is retrieved, how much of it, and whether in pairs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from textbook.params import Contextualized
from textbook.retrieval.hits import SearchIndex
from textbook.tasks.splits import sentences, texts
from textbook.textbooks.book import write_book
from textbook.textbooks.budget import fit_budget
from textbook.textbooks.contextualized import Merged, blend, retrieve
from textbook.textbooks.leaks import LeakFilter
from textbook.textbooks.pairs.likeness import likeness
from textbook.textbooks.pairs.write import write_paired


@dataclass(frozen=True)
class Selection:
    """The corpus sentences that a textbook can have, and how it is made of them."""

    task: pa.Table
    """The training rows of the prepared task."""
    settings: Contextualized
    """`pairs` is None if the task has single sentences."""
    merged: Merged
    k: int
    """Number of sentences retrieved for each anchor; within the budget, if there is one."""


def select_sentences(
    index: SearchIndex, corpus: Path, task: pa.Table, settings: Contextualized, stop_words: frozenset[str]
) -> Selection:
    """Retrieve the corpus sentences that are most relevant to a task.

    Args:
        index: over the corpus in the folder `corpus`.
        task: the training rows of the prepared task.

    Raises:
        UserError: the textbook exceeds its budget even at k = 1, or the corpus is too small for `settings.blend`.
    """
    if texts(task)[1] is None:
        settings = settings.model_copy(update={"pairs": None})
    merged = retrieve(index, sentences(task), k=settings.k, phrases=settings.phrases, stop_words=stop_words)
    merged = blend(merged, settings.blend) if settings.blend else merged
    k = fit_budget(merged, settings.budget, corpus) if settings.budget else settings.k
    return Selection(task, settings, merged, k)


def write_selection(selection: Selection, corpus: Path, leaks: LeakFilter, target: Path) -> dict[str, Any]:
    """Write the textbook as a Parquet file, without texts that repeat evaluation data.

    Returns:
        Figures of the retrieval, and what `write_book` returns.

    Raises:
        UserError: no sentence is left.
    """
    settings, merged, k = selection.settings, selection.merged, selection.k
    if settings.pairs == "overlap":
        first, second = texts(selection.task)
        assert second is not None
        ids, groups = merged.grouped(k)
        rank, score = merged.relevance(ids)
        limit = settings.budget.size if settings.budget and settings.budget.unit == "bytes" else None
        wanted = likeness(first, second)
        written = write_paired(corpus, ids, groups, wanted, leaks, target, rank=rank, score=score, most_bytes=limit)
    else:
        ids, partners = merged.pairs(k) if settings.pairs else (merged.order(k), None)
        rank, score = merged.relevance(ids)
        written = write_book(corpus, ids, leaks, target, partners=partners, rank=rank, score=score)
    return {
        "anchors": len(sentences(selection.task)),
        "k": k,
        "hits": merged.hits,
        "distinct_hits": merged.distinct,
        "anchors_without_keywords": merged.without_keywords,
        "anchors_without_hits": merged.without_hits,
        **({"blend": settings.blend} if settings.blend else {}),
        **written,
    }
