"""Stages `contextualized@t` and `general@t`: a textbook for one task, checked."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from pipelines.stage import CORPUS, EXPECTATIONS, INDEX, TASKS, TEXTBOOKS, VALIDATION, run
from textbook.corpus.shards import corpus_hash, corpus_size
from textbook.corpus.take import take_sentences
from textbook.evaluation.vocabulary import measure, overlap, read_texts
from textbook.files import sha256, write_aside, write_json
from textbook.params import Budget, Params
from textbook.retrieval.engines import open_index
from textbook.tasks.prepare import TRAIN, evaluation_sentences, read_split, sentences, texts
from textbook.textbooks.book import write_book
from textbook.textbooks.budget import fit_budget
from textbook.textbooks.contextualized import retrieve
from textbook.textbooks.general import sample
from textbook.textbooks.leaks import LeakFilter
from textbook.validation import check_figures, check_shards, judge, read_suite


def textbook(params: Params, kind: str, task: str) -> None:
    """Write the textbook of the given kind for a task, and what it consists of; it appears only when it is sound."""
    evaluation = evaluation_sentences(TASKS / task)
    leaks = LeakFilter(evaluation, params.textbooks.leak_ngram)
    folder = TEXTBOOKS / task
    counts: dict[str, Any] = {}
    ranking: dict[str, Any] = {}
    columns, partners = ["sentence"], None
    context: dict[str, Any] = {"evaluation": evaluation, "ranked": kind == "contextualized"}
    if kind == "contextualized":
        settings = params.textbooks.contextualized
        train = read_split(TASKS / task, TRAIN)
        anchors, pairs = sentences(train), settings.pairs and texts(train)[1] is not None
        index = open_index(INDEX / params.index.engine, corpus_hash(CORPUS))
        merged = retrieve(index, anchors, k=settings.k, phrases=settings.phrases, keep_anchors=pairs)
        k = fit_budget(merged, settings.budget, CORPUS) if settings.budget else settings.k
        if pairs:
            columns, (ids, partners) = ["sentence", "sentence2"], merged.pairs(k)
        else:
            ids = merged.order(k)
        ranking = {"rank": merged.rank[ids], "score": merged.score[ids]}
        context |= {"k": k, "budget": settings.budget}
        counts = {"anchors": len(anchors), "k": k, "hits": merged.hits, "distinct_hits": merged.distinct}
        counts |= {"anchors_without_keywords": merged.without_keywords, "anchors_without_hits": merged.without_hits}
    else:
        size = params.textbooks.general.sentences
        ids = sample(corpus_size(CORPUS), size, params.textbooks.general.seed)
        context |= {"budget": Budget(unit="sentences", size=size)}
    with write_aside(folder / f"{kind}.parquet") as aside:
        counts |= write_book(CORPUS, ids, leaks, aside, partners=partners, **ranking)
        title, report = f"{kind.capitalize()} textbook of {task}", VALIDATION / f"textbook-{task}-{kind}.html"
        if ranking:
            counts |= compare_words(TASKS / task / "train.parquet", aside, counts["sentences"])
        rows = check_shards([aside], read_suite(EXPECTATIONS / "textbook.yaml", {**context, "text": columns}))
        figures = read_suite(EXPECTATIONS / "textbook-figures.yaml", context)
        judge([*rows, *check_figures(f"{kind}.json", counts, figures)], report, title)
    write_json(folder / f"{kind}.json", {**counts, "sha256": sha256(folder / f"{kind}.parquet")})
    print(f"{task}, {kind}: {counts['sentences']:,} sentences, {counts['leaks']:,} evaluation sentences removed")


def compare_words(task: Path, book: Path, sentences: int) -> dict[str, float]:
    """How many of its most frequent words a textbook has in common with its task, and a random sample of the corpus of
    as many sentences has, in percent (Figure 3)."""
    chosen = np.sort(sample(corpus_size(CORPUS), sentences, seed=0))
    random = (batch for part in take_sentences(CORPUS, chosen) for batch in part.select(["sentence"]).to_batches())
    (own,) = measure(read_texts(task), [pq.read_metadata(task).num_rows])
    (found,) = measure(read_texts(book), [pq.read_metadata(book).num_rows])
    (drawn,) = measure(random, [len(chosen)])
    overlaps = {"overlap_with_task": found, "overlap_of_random_sample": drawn}
    return {name: round(overlap(extent.top, own.top), 2) for name, extent in overlaps.items()}


if __name__ == "__main__":
    run(textbook)
