"""Stage `augmented@t`: the task's own sentences or pairs, varied word by word, checked."""

from functools import partial

from pipelines.stage import ASSETS, CACHE, EXPECTATIONS, TASKS, TEXTBOOKS, VALIDATION, run
from textbook import words
from textbook.assets import MANIFEST, locate
from textbook.files import digest, hash_code, read_json, remove, sha256, write_aside, write_json
from textbook.params import Params
from textbook.retrieval import rake
from textbook.tasks.prepare import evaluation_sentences, read_split, texts
from textbook.textbooks import augmented as code
from textbook.textbooks import candidates, vectors
from textbook.textbooks.augmented import find_slots, keep_slots, write_augmented
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
    # All that decides what is found names the work folder; a run that was killed goes on with what is there.
    made_of = [read_json(ASSETS / name / MANIFEST) for name in (settings.masked_lm, settings.vectors)]
    works = CACHE / "augmented" / task
    work = works / digest(made_of, settings.candidates, hash_code(code, candidates, vectors, rake, words))
    for other in works.glob("*"):
        if other != work:
            remove(other)
    work.mkdir(parents=True, exist_ok=True)
    folder = TEXTBOOKS / task
    columns = ["sentence"] if second is None else ["sentence", "sentence2"]
    context = {"text": columns, "evaluation": evaluation, "variants": settings.variants}
    with write_aside(folder / "augmented.parquet") as aside:
        leaks = LeakFilter(evaluation, params.textbooks.leak_ngram)
        counts = write_augmented(first, second, keep_slots(slots, work), leaks, aside, settings)
        report, title = VALIDATION / f"textbook-{task}-augmented.html", f"Augmented textbook of {task}"
        validate([aside], EXPECTATIONS / "augmented.yaml", context, report, title)
    write_json(folder / "augmented.json", {**counts, "sha256": sha256(folder / "augmented.parquet")})
    remove(work)
    print(f"{task}, augmented: {counts['sentences']:,} sentences, {counts['leaks']:,} evaluation sentences removed")


if __name__ == "__main__":
    run(augmented)
