"""Stages `adapt@t` and `scratch@t`: fine-tune a student on the task, distilled or from scratch, once per seed."""

import tempfile
from pathlib import Path

from pipelines.labelled import measure_of, read_labelled
from pipelines.stage import MODELS, run
from textbook.files import write_aside, write_json
from textbook.models.classifier import load_classifier, read_classifier
from textbook.models.encoder import load_config, load_tokenizer
from textbook.models.student import Shape, make_student
from textbook.params import Params
from textbook.tasks.prepare import TRAIN
from textbook.training.device import best_device
from textbook.training.finetune import Settings, finetune, predict
from textbook.training.log import log_to_file
from textbook.training.objective import make_objective


def adapt(params: Params, start: str, task: str) -> None:
    """Adapt from `start`, `distilled` or `scratch`."""
    folder = MODELS / task
    if start == "scratch":
        adapt_from(params, task, None, folder / "scratch")
    else:
        adapt_from(params, task, folder / "distilled", folder / "student")


def adapt_from(params: Params, task: str, distilled: Path | None, target: Path) -> None:
    """Adapt a distilled encoder, or one from scratch, with every seed; keep the model that validates best.

    From scratch the seed decides the initial weights too.
    """
    settings, about = params.adapt, params.task(task)
    teacher = MODELS / task / "teacher"
    tokenizer, device = load_tokenizer(teacher), best_device()
    pad_id = tokenizer.pad_token_id
    train = read_labelled(task, TRAIN, tokenizer, settings.max_length)
    measure = measure_of(task, about, tokenizer, settings.max_length, device)
    objective = make_objective(
        settings,
        train.labels,
        len(about.outputs),
        lambda: predict(read_classifier(teacher), train.tokens, pad_id=pad_id, device=device),
    )
    how = settings.model_dump(include={"epochs", "batch", "lr", "warmup", "weight_decay", "patience"})
    runs: list[dict[str, float]] = []
    scores: list[float] = []
    with write_aside(target) as aside:
        aside.mkdir()
        for seed in settings.seeds:
            with tempfile.TemporaryDirectory() as name:
                encoder = distilled or Path(name)
                if not distilled:
                    shape = Shape(**params.student.model_dump())
                    make_student(shape, load_config(teacher), seed).save_pretrained(encoder)
                model = load_classifier(encoder, about.outputs, seed, regression=about.regression)
            figures = finetune(
                model,
                train,
                Settings(**how, seed=seed),
                measure=measure,
                pad_id=pad_id,
                device=device,
                name=f"{target.name}, seed {seed}",
                objective=objective,
                log=log_to_file(aside / f"history-{seed}.jsonl"),
            )
            runs.append(figures)
            scores.append(figures[about.metrics[0]])
            if scores[-1] == max(scores):
                model.save_pretrained(aside)
        tokenizer.save_pretrained(aside)
        best = settings.seeds[scores.index(max(scores))]
        write_json(aside / "result.json", {"runs": runs, "seeds": settings.seeds, "best_seed": best})


if __name__ == "__main__":
    run(adapt)
