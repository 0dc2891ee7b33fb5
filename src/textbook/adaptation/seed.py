"""Adaptation with one seed, from files to files, so that it can run in a process of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from transformers import PreTrainedTokenizerBase

from textbook.evaluation.metrics import measure_classifier, read_predicted, read_validation
from textbook.evaluation.predictions import write_predictions
from textbook.files import write_json
from textbook.models.classifier import load_classifier
from textbook.models.encoder import load_tokenizer
from textbook.tasks.splits import TRAIN
from textbook.training.engine.device import best_device
from textbook.training.engine.log import log_to_file
from textbook.training.finetuning.finetune import ReportStep, finetune
from textbook.training.finetuning.labelled import Labelled, check_labelled, read_labelled
from textbook.training.finetuning.objective import Objective, make_objective
from textbook.training.finetuning.predict import predict

if TYPE_CHECKING:
    from textbook.params import Adapt, Task

MODEL, HISTORY, METRICS = "model", "history.jsonl", "metrics.json"


@dataclass(frozen=True)
class SeedJob:
    """What to do for a seed, and where its files are. Another process gets it pickled."""

    name: str
    """The name of the model in messages."""
    teacher: Path
    """A Hugging Face folder, whose tokenizer is used."""
    data: Path
    """The folder of the prepared task."""
    task: Task
    """The task with its class names."""
    settings: Adapt
    train_words: bool
    """Whether the word embeddings are trained too."""
    targets: Path | None
    """The teacher's `logits` for the training rows [rows, outputs]; None if only the gold labels are targets."""
    seed: int
    encoder: Path
    """The Hugging Face folder of the encoder to start from."""
    folder: Path
    """Gets the `model` as a Hugging Face folder, its history, its metrics, and its predictions."""
    threads: int = 1
    """Number of threads of PyTorch. It decides the result in the last bits."""

    @property
    def label(self) -> str:
        """The name of the seed's training in messages."""
        return f"{self.name}, seed {self.seed}"


@dataclass(frozen=True)
class SeedData:
    """What all seeds of an adaptation read."""

    tokenizer: PreTrainedTokenizerBase
    train: Labelled
    validation: dict[str, Labelled]
    predicted: dict[str, Labelled]
    """What the finished model predicts, by the name of the file with its predictions."""
    objective: Objective


def read_seed_data(job: SeedJob) -> SeedData:
    """Read and tokenise the data of a job, which are the same for all seeds."""
    tokenizer = load_tokenizer(job.teacher)
    train = read_labelled(job.data, TRAIN, tokenizer, job.settings.max_length)
    validation = read_validation(job.data, tokenizer, job.settings.max_length)
    predicted = read_predicted(job.data, tokenizer, job.settings.max_length, validation)

    def read_targets() -> NDArray[np.float32]:
        assert job.targets, "the teacher's predictions are needed and not given"
        return load_file(job.targets)["logits"]

    objective = make_objective(job.settings, train.labels, len(job.task.outputs), read_targets)
    return SeedData(tokenizer, train, validation, predicted, objective)


def adapt_with_seed(job: SeedJob, data: SeedData, report: ReportStep | None = None) -> None:
    """Fine-tune with one seed, and write all results into the folder of the job.

    Args:
        report: called after every step; None: a progress bar is shown instead.

    Raises:
        UserError: the encoder cannot read the texts or has too few outputs, or a loss or a weight is not finite.
    """
    task, settings, device, pad_id = job.task, job.settings, best_device(), data.tokenizer.pad_token_id
    model = load_classifier(job.encoder, task.outputs, job.seed, regression=task.regression)
    model.get_input_embeddings().requires_grad_(job.train_words)
    for rows in (*data.validation.values(), *data.predicted.values()):
        check_labelled(model.config, rows, pad_id, "adapt")
    metrics = finetune(
        model,
        data.train,
        settings,
        job.seed,
        measure=partial(measure_classifier, splits=data.validation, metrics=task.metrics, pad_id=pad_id, device=device),
        pad_id=pad_id,
        device=device,
        name=job.label,
        section="adapt",
        objective=data.objective,
        patience=settings.patience,
        log=log_to_file(job.folder / HISTORY),
        report=report,
    )
    for name, rows in data.predicted.items():
        outputs = predict(model, rows.tokens, pad_id=pad_id, device=device)
        write_predictions(job.folder / name, rows.labels, {job.seed: outputs})
    model.save_pretrained(job.folder / MODEL)
    data.tokenizer.save_pretrained(job.folder / MODEL)
    write_json(job.folder / METRICS, metrics)
