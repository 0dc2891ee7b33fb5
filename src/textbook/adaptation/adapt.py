"""Fine-tuning an encoder on a task with every seed, and keeping the best model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.numpy import save_file

from textbook.adaptation.seed import HISTORY, METRICS, MODEL, SeedJob
from textbook.adaptation.side_by_side import run_seeds
from textbook.evaluation.predictions import PREDICTIONS, TEST_PREDICTIONS, read_predictions, write_predictions
from textbook.files import atomic_write, read_json, remove, write_json
from textbook.models.classifier import read_classifier
from textbook.models.encoder import load_tokenizer
from textbook.tasks.splits import TRAIN, with_classes
from textbook.training.engine.checks import check_readable
from textbook.training.engine.device import best_device
from textbook.training.finetuning.labelled import read_labelled
from textbook.training.finetuning.predict import predict

if TYPE_CHECKING:
    from textbook.params import Adapt, Metric, Task

GiveEncoder = Callable[[int, Path], Path]
"""Given a seed and a temporary folder, returns the folder of the encoder to start from."""


def adapt_encoder(
    teacher: Path,
    data: Path,
    task: Task,
    settings: Adapt,
    encoder_of: GiveEncoder,
    target: Path,
    *,
    train_words: bool = True,
) -> None:
    """Fine-tune with every seed.

    Args:
        teacher: a Hugging Face folder, whose tokenizer is used. Its predictions are those of `settings.targets`.
        data: the folder of the prepared task; see `textbook.tasks.prepare`.
        target: gets the best model on validation data as a Hugging Face folder, and of every seed the metrics
            (`result.json`), the history and the predictions on the first validation split, and on the test split if
            there is one.
        train_words: train the word embeddings too.

    Raises:
        UserError: a model cannot read the texts or has too few outputs, a loss or a weight is not finite, or the
            process of a seed was killed.
        SystemExit: SIGTERM was received.
    """
    task = with_classes(task, data)
    with atomic_write(target) as temporary:
        work = temporary / "seeds"
        work.mkdir(parents=True)
        targets = work / "targets.safetensors" if settings.targets != "gold" else None
        if targets:
            _write_targets(teacher, data, settings, targets)
        jobs = []
        for seed in settings.seeds:
            folder = work / str(seed)
            (folder / "encoder").mkdir(parents=True)
            encoder = encoder_of(seed, folder / "encoder")
            job = SeedJob(
                name=target.name,
                teacher=teacher,
                data=data,
                task=task,
                settings=settings,
                train_words=train_words,
                targets=targets,
                seed=seed,
                encoder=encoder,
                folder=folder,
            )
            jobs.append(job)
        run_seeds(jobs)
        _collect(jobs, task.metrics[0], temporary)
        remove(work)


def _write_targets(teacher: Path, data: Path, settings: Adapt, path: Path) -> None:
    """Write the teacher's logits for the training rows [rows, outputs]."""
    tokenizer = load_tokenizer(teacher)
    pad_id, tokens = tokenizer.pad_token_id, read_labelled(data, TRAIN, tokenizer, settings.max_length).tokens
    model = read_classifier(teacher)
    check_readable(model.config, tokens, pad_id, whose="teacher", section="adapt")
    save_file({"logits": predict(model, tokens, pad_id=pad_id, device=best_device())}, path)


def _collect(jobs: Sequence[SeedJob], metric: Metric, folder: Path) -> None:
    """Put the best model, and what is known of all seeds, into a folder. Of equal seeds, the first is the best."""
    runs = [read_json(job.folder / METRICS) for job in jobs]
    best = max(range(len(jobs)), key=lambda number: runs[number][metric])
    for path in (jobs[best].folder / MODEL).iterdir():
        path.rename(folder / path.name)
    for job in jobs:
        (job.folder / HISTORY).rename(folder / f"history-{job.seed}.jsonl")
    for name in (PREDICTIONS, TEST_PREDICTIONS):
        if (jobs[0].folder / name).is_file():
            labels, _ = read_predictions(jobs[0].folder / name)
            outputs = {job.seed: read_predictions(job.folder / name)[1][job.seed] for job in jobs}
            write_predictions(folder / name, labels, outputs)
    seeds = [job.seed for job in jobs]
    write_json(folder / "result.json", {"runs": runs, "seeds": seeds, "best_seed": seeds[best]})
