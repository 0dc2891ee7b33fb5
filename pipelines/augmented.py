"""Stage `augmented@t`: the task's own sentences or pairs, varied word by word, checked."""

from functools import partial

from pipelines.stage import ASSETS, EXPECTATIONS, TASKS, TEXTBOOKS, VALIDATION, run
from textbook.assets import locate
from textbook.files import sha256, write_aside, write_json
from textbook.params import Params
from textbook.tasks.prepare import evaluation_sentences, read_split, texts
from textbook.textbooks.augmented import find_slots, write_augmented
from textbook.textbooks.candidates import load_masked_lm
from textbook.textbooks.leaks import LeakFilter
from textbook.textbooks.vectors import read_vectors
from textbook.training.device import best_device
from textbook.validation import validate


def augmented(params: Params, task: str) -> None:
    """Write the augmented textbook of a task, and what it consists of; it appears only when it is sound."""
    settings = params.textbooks.augmented[task]
    first, second = texts(read_split(TASKS / task, "train"))
    evaluation = evaluation_sentences(TASKS / task)
    slots = partial(
        find_slots,
        lm=load_masked_lm(locate(ASSETS / settings.masked_lm), best_device().kind),
        vectors=read_vectors(locate(ASSETS / settings.vectors)),
        k=settings.candidates,
        batch=settings.batch,
    )
    folder = TEXTBOOKS / task
    columns = ["sentence"] if second is None else ["sentence", "sentence2"]
    context = {"text": columns, "evaluation": evaluation, "variants": settings.variants}
    with write_aside(folder / "augmented.parquet") as aside:
        leaks = LeakFilter(evaluation, params.textbooks.leak_ngram)
        counts = write_augmented(first, second, slots, leaks, aside, settings)
        report, title = VALIDATION / f"textbook-{task}-augmented.html", f"Augmented textbook of {task}"
        validate([aside], EXPECTATIONS / "augmented.yaml", context, report, title)
    write_json(folder / "augmented.json", {**counts, "sha256": sha256(folder / "augmented.parquet")})
    print(f"{task}, augmented: {counts['sentences']:,} sentences, {counts['leaks']:,} evaluation sentences removed")


if __name__ == "__main__":
    run(augmented)
