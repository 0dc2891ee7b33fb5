"""Stage `contextualized@task`: the textbook of the corpus sentences most relevant to the task."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from pipelines.cli import run
from pipelines.corpus_textbooks import check_sample
from pipelines.paths import CORPUS, INDEX, TASKS
from pipelines.textbooks import Figures, write_textbook
from textbook.corpus.shards import corpus_hash, corpus_size, take_sentences
from textbook.params import Params
from textbook.retrieval.engines import open_index
from textbook.retrieval.stop_words import read_stop_words
from textbook.tasks.splits import TRAIN, evaluation_sentences, read_split
from textbook.textbooks.general import sample
from textbook.textbooks.leaks import LeakFilter
from textbook.textbooks.measures.vocabulary import count_vocabulary, overlap, read_texts
from textbook.textbooks.pairs.likeness import pair_figures
from textbook.textbooks.selection import select_sentences, write_selection

KIND = "contextualized"


def main(params: Params, task: str) -> None:
    """Write the textbook and its figures."""
    train, evaluation = read_split(TASKS / task, TRAIN), evaluation_sentences(TASKS / task)
    index = open_index(INDEX / params.index.engine, corpus_hash(CORPUS))
    stop_words = read_stop_words(params.corpus.language)
    selection = select_sentences(index, CORPUS, train, params.textbooks.contextualized, stop_words)
    leaks, pairs = LeakFilter(evaluation, params.textbooks.leak_ngram), selection.settings.pairs
    context = {
        "text": ["sentence", "sentence2"] if pairs else ["sentence"],
        "made": pairs == "overlap",
        "evaluation": evaluation,
        "ranked": True,
        "k": selection.k,
        "budget": selection.settings.budget,
    }

    def write(path: Path) -> Figures:
        written = write_selection(selection, CORPUS, leaks, path)
        return {
            **written,
            **_overlaps(TASKS / task / "train.parquet", path, written["sentences"], stop_words),
            **(pair_figures(TASKS / task / "train.parquet", path) if pairs else {}),
        }

    write_textbook(task, KIND, write, lambda path, figures: check_sample(KIND, path, figures, context))


def _overlaps(task: Path, book: Path, sentences: int, stop_words: frozenset[str]) -> dict[str, float]:
    """The vocabulary overlaps with the task, of the textbook and of a random sample (Figure 3 of the paper).

    An overlap is the share of the most frequent words in common, in percent.

    Args:
        sentences: the size of the random sample of the corpus.
    """
    ids = np.sort(sample(corpus_size(CORPUS), sentences, seed=0))
    random = (batch for part in take_sentences(CORPUS, ids) for batch in part.select(["sentence"]).to_batches())
    (of_task,) = count_vocabulary(read_texts(task), [pq.read_metadata(task).num_rows], stop_words)
    (of_book,) = count_vocabulary(read_texts(book), [pq.read_metadata(book).num_rows], stop_words)
    (of_sample,) = count_vocabulary(random, [len(ids)], stop_words)
    vocabularies = {"overlap_with_task": of_book, "overlap_of_random_sample": of_sample}
    return {name: round(overlap(vocabulary.top, of_task.top), 2) for name, vocabulary in vocabularies.items()}


if __name__ == "__main__":
    run(main)
