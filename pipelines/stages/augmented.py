"""Stage `augmented@task`: the textbook of the task's own sentences or pairs, and of variants with words replaced."""

from functools import partial

from pipelines.cli import run
from pipelines.paths import ASSETS, EXPECTATIONS, TASKS
from pipelines.textbooks import write_textbook
from pipelines.work import work_folder
from textbook.assets.manifest import MANIFEST, locate
from textbook.files import read_json, remove
from textbook.params import Params, entry
from textbook.retrieval.stop_words import read_stop_words
from textbook.tasks.splits import TRAIN, evaluation_sentences, read_split, texts
from textbook.textbooks.augmentation.candidates import load_masked_lm
from textbook.textbooks.augmentation.variants import find_slots, keep_slots, write_augmented
from textbook.textbooks.augmentation.vectors import read_vectors
from textbook.textbooks.leaks import LeakFilter
from textbook.training.engine.device import best_device
from textbook.validation import check_shards, read_suite

KIND = "augmented"


def main(params: Params, task: str) -> None:
    """Write the textbook and its figures."""
    settings = entry(params.textbooks.augmented, task, "textbooks.augmented")
    first, second = texts(read_split(TASKS / task, TRAIN))
    evaluation = evaluation_sentences(TASKS / task)
    slots = partial(
        find_slots,
        lm=load_masked_lm(locate(ASSETS / settings.masked_lm), best_device().kind),
        vectors=read_vectors(locate(ASSETS / settings.vectors)),
        stop_words=read_stop_words(params.corpus.language),
        k=settings.candidates,
        batch=settings.batch,
    )
    assets = [read_json(ASSETS / name / MANIFEST) for name in (settings.masked_lm, settings.vectors)]
    work = work_folder(f"augmented@{task}", assets, settings.candidates, params.corpus.language)
    leaks = LeakFilter(evaluation, params.textbooks.leak_ngram)
    context = {
        "text": ["sentence"] if second is None else ["sentence", "sentence2"],
        "evaluation": evaluation,
        "variants": settings.variants,
    }
    write_textbook(
        task,
        KIND,
        lambda path: {**write_augmented(first, second, keep_slots(slots, work), leaks, path, settings)},
        lambda path, _figures: check_shards([path], read_suite(EXPECTATIONS / "augmented.yaml", context)),
    )
    remove(work)


if __name__ == "__main__":
    run(main)
