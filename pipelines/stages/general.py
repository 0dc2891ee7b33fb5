"""Stage `general@task`: the textbook from a random sample of the corpus."""

from pipelines.cli import run
from pipelines.corpus_textbooks import check_sample
from pipelines.paths import CORPUS, TASKS
from pipelines.textbooks import write_textbook
from textbook.corpus.shards import corpus_size
from textbook.params import Budget, Params
from textbook.tasks.splits import evaluation_sentences
from textbook.textbooks.book import write_book
from textbook.textbooks.general import sample
from textbook.textbooks.leaks import LeakFilter

KIND = "general"


def main(params: Params, task: str) -> None:
    """Write the textbook and its figures."""
    settings = params.textbooks.general
    evaluation = evaluation_sentences(TASKS / task)
    leaks = LeakFilter(evaluation, params.textbooks.leak_ngram)
    ids = sample(corpus_size(CORPUS), settings.sentences, settings.seed)
    budget = Budget(unit="sentences", size=settings.sentences)
    context = {"text": ["sentence"], "evaluation": evaluation, "ranked": False, "budget": budget}
    write_textbook(
        task,
        KIND,
        lambda path: {**write_book(CORPUS, ids, leaks, path)},
        lambda path, figures: check_sample(KIND, path, figures, context),
    )


if __name__ == "__main__":
    run(main)
