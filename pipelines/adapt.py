"""Stages `adapt@t` and `scratch@t`: fine-tune a student on gold labels, distilled or from scratch, once per seed."""

import tempfile
from pathlib import Path

from pipelines.labelled import read_labelled
from pipelines.stage import MODELS, run
from textbook.files import write_aside, write_json
from textbook.models.classifier import load_classifier
from textbook.models.encoder import load_config, load_tokenizer
from textbook.models.student import make_student
from textbook.params import Params
from textbook.tasks.prepare import SPLITS
from textbook.training.device import best_device
from textbook.training.finetune import Settings, finetune
from textbook.training.log import log_to_file


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
    settings = params.adapt
    teacher = MODELS / task / "teacher"
    tokenizer, device = load_tokenizer(teacher), best_device()
    train, validation = (read_labelled(task, split, tokenizer, settings.max_length) for split in SPLITS)
    accuracies: list[float] = []
    with write_aside(target) as aside:
        aside.mkdir()
        for seed in settings.seeds:
            with tempfile.TemporaryDirectory() as name:
                encoder = distilled or Path(name)
                if not distilled:
                    make_student(params.student, load_config(teacher), seed).save_pretrained(encoder)
                model = load_classifier(encoder, params.task(task).labels, seed)
            accuracy = finetune(
                model,
                train,
                validation,
                Settings(settings.epochs, settings.batch, settings.lr, settings.warmup, settings.weight_decay, seed),
                pad_id=tokenizer.pad_token_id,
                device=device,
                name=f"{target.name}, seed {seed}",
                log=log_to_file(aside / f"history-{seed}.jsonl"),
            )
            accuracies.append(accuracy)
            if accuracy == max(accuracies):
                model.save_pretrained(aside)
        tokenizer.save_pretrained(aside)
        best = settings.seeds[accuracies.index(max(accuracies))]
        write_json(aside / "result.json", {"accuracy": accuracies, "seeds": settings.seeds, "best_seed": best})


if __name__ == "__main__":
    run(adapt)
