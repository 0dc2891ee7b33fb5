"""Stage `general@task`: the textbook from a random sample of the corpus."""

from pathlib import Path

import numpy as np

from pipelines.cli import run
from pipelines.corpus_textbooks import check_sample
from pipelines.paths import CORPUS, TASKS
from pipelines.textbooks import Figures, write_textbook
from textbook.corpus.shards import corpus_size
from textbook.params import Budget, Params
from textbook.tasks.splits import TRAIN, evaluation_sentences, read_split, texts
from textbook.textbooks.book import write_book
from textbook.textbooks.general import sample
from textbook.textbooks.leaks import LeakFilter
from textbook.textbooks.pairs.likeness import likeness, pair_figures
from textbook.textbooks.pairs.write import RANDOM_GROUP, write_paired

KIND = "general"


def main(params: Params, task: str) -> None:
    """Write the textbook and its figures."""
    settings = params.textbooks.general
    evaluation = evaluation_sentences(TASKS / task)
    first, second = texts(read_split(TASKS / task, TRAIN))
    in_pairs = second is not None and params.textbooks.contextualized.pairs == "overlap"
    leaks = LeakFilter(evaluation, params.textbooks.leak_ngram)
    ids = sample(corpus_size(CORPUS), settings.sentences, settings.seed)
    budget = Budget(unit="sentences", size=settings.sentences)
    context = {
        "text": ["sentence", "sentence2"] if in_pairs else ["sentence"],
        "made": in_pairs,
        "evaluation": evaluation,
        "ranked": False,
        "budget": budget,
    }

    def write(path: Path) -> Figures:
        if second is None or not in_pairs:
            return {**write_book(CORPUS, ids, leaks, path)}
        groups = np.arange(len(ids)) // RANDOM_GROUP
        written = write_paired(CORPUS, ids, groups, likeness(first, second), leaks, path)
        return {**written, **pair_figures(TASKS / task / "train.parquet", path)}

    write_textbook(task, KIND, write, lambda path, figures: check_sample(KIND, path, figures, context))


if __name__ == "__main__":
    run(main)
