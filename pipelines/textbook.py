"""Stages `contextualized@t` and `general@t`: a textbook for one task, checked."""

from math import ceil
from typing import Any

from pipelines.stage import CORPUS, EXPECTATIONS, INDEX, TASKS, TEXTBOOKS, VALIDATION, run
from textbook.corpus.shards import corpus_hash, corpus_size
from textbook.files import sha256, write_aside, write_json
from textbook.params import Params
from textbook.retrieval.engines import open_index
from textbook.tasks.prepare import evaluation_sentences, read_split, sentences
from textbook.textbooks.book import write_book
from textbook.textbooks.budget import fit_budget
from textbook.textbooks.contextualized import retrieve
from textbook.textbooks.general import sample
from textbook.textbooks.leaks import LeakFilter
from textbook.validation import validate


def textbook(params: Params, kind: str, task: str) -> None:
    """Write the textbook of the given kind for a task, and what it consists of; it appears only when it is sound."""
    evaluation = evaluation_sentences(TASKS / task)
    leaks = LeakFilter(evaluation, params.textbooks.leak_ngram)
    folder = TEXTBOOKS / task
    counts: dict[str, Any] = {}
    ranking: dict[str, Any] = {}
    context: dict[str, Any] = {"evaluation": evaluation, "ranked": False}
    if kind == "contextualized":
        settings = params.textbooks.contextualized
        anchors = sentences(read_split(TASKS / task, "train"))
        index = open_index(INDEX / params.index.engine, corpus_hash(CORPUS))
        merged = retrieve(index, anchors, k=settings.k, phrases=settings.phrases)
        k = fit_budget(merged, settings.budget, CORPUS) if settings.budget else settings.k
        ids = merged.order(k)
        ids = ids[: ceil(len(ids) * settings.top_percent / 100)]
        ranking = {"rank": merged.rank[ids], "score": merged.score[ids]}
        context |= {"ranked": True, "k": k}
        counts = {"anchors": len(anchors), "k": k, "hits": merged.hits, "distinct_hits": merged.distinct}
        counts |= {"anchors_without_keywords": merged.without_keywords, "anchors_without_hits": merged.without_hits}
    else:
        ids = sample(corpus_size(CORPUS), params.textbooks.general.sentences, params.textbooks.general.seed)
    with write_aside(folder / f"{kind}.parquet") as aside:
        counts |= write_book(CORPUS, ids, leaks, aside, **ranking)
        title, report = f"{kind.capitalize()} textbook of {task}", VALIDATION / f"textbook-{task}-{kind}.html"
        validate([aside], EXPECTATIONS / "textbook.yaml", context, report, title)
    write_json(folder / f"{kind}.json", {**counts, "sha256": sha256(folder / f"{kind}.parquet")})
    print(f"{task}, {kind}: {counts['sentences']:,} sentences, {counts['leaks']:,} evaluation sentences removed")


if __name__ == "__main__":
    run(textbook)
