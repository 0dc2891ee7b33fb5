"""Adaptation of an encoder to its task, for the students of stages and of the cells of a sweep, and for a baseline."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.paths import TASKS, teacher_folder
from textbook.evaluation.metrics import measure_classifier, read_validation
from textbook.evaluation.predictions import PREDICTIONS, write_predictions
from textbook.files import atomic_write, write_json
from textbook.models.classifier import load_classifier, read_classifier
from textbook.models.encoder import load_config, load_tokenizer
from textbook.models.student import make_student
from textbook.params import Params
from textbook.tasks.splits import TRAIN, VALIDATION, with_classes
from textbook.training.engine.checks import check_readable
from textbook.training.engine.device import best_device
from textbook.training.engine.log import log_to_file
from textbook.training.finetuning.finetune import finetune
from textbook.training.finetuning.labelled import check_labelled, read_labelled
from textbook.training.finetuning.objective import make_objective
from textbook.training.finetuning.predict import predict

GiveEncoder = Callable[[int, Path], Path]
"""Given a seed and a temporary folder, returns the folder of the encoder to start from."""


def adapt_distilled(params: Params, task: str, distilled: Path, target: Path) -> None:
    """Adapt a distilled student with every seed, and keep the best one; see `adapt_encoder`."""
    adapt_encoder(params, task, lambda _seed, _folder: distilled, target)


def adapt_from_scratch(params: Params, task: str, target: Path) -> None:
    """Adapt a student with random weights, which also depend on the seed; see `adapt_encoder`."""
    config = load_config(teacher_folder(task))

    def write_student(seed: int, folder: Path) -> Path:
        make_student(params.student, config, seed).save_pretrained(folder)
        return folder

    adapt_encoder(params, task, write_student, target)


def adapt_encoder(
    params: Params, task: str, encoder_of: GiveEncoder, target: Path, *, train_words: bool = True
) -> None:
    """Fine-tune with every seed.

    Args:
        target: gets the best model on validation data, and of every seed the metrics, the history and the predictions
            on the first validation split.
        train_words: train the word embeddings too.
    """
    settings, about = params.adapt, with_classes(params.task(task), TASKS / task)
    teacher = teacher_folder(task)
    tokenizer, device = load_tokenizer(teacher), best_device()
    pad_id = tokenizer.pad_token_id
    train = read_labelled(TASKS / task, TRAIN, tokenizer, settings.max_length)
    validation = read_validation(TASKS / task, tokenizer, settings.max_length)
    measure = partial(measure_classifier, splits=validation, metrics=about.metrics, pad_id=pad_id, device=device)

    def predict_as_teacher() -> NDArray[np.float32]:
        model = read_classifier(teacher)
        check_readable(model.config, train.tokens, pad_id, whose="teacher", section="adapt")
        return predict(model, train.tokens, pad_id=pad_id, device=device)

    objective = make_objective(settings, train.labels, len(about.outputs), predict_as_teacher)
    runs: list[dict[str, float]] = []
    scores: list[float] = []
    outputs: dict[int, NDArray[np.float32]] = {}
    with atomic_write(target) as temporary:
        temporary.mkdir()
        for seed in settings.seeds:
            with tempfile.TemporaryDirectory() as name:
                encoder = encoder_of(seed, Path(name))
                model = load_classifier(encoder, about.outputs, seed, regression=about.regression)
            model.get_input_embeddings().requires_grad_(train_words)
            for rows in validation.values():
                check_labelled(model.config, rows, pad_id, "adapt")
            metrics = finetune(
                model,
                train,
                settings,
                seed,
                measure=measure,
                pad_id=pad_id,
                device=device,
                name=f"{target.name}, seed {seed}",
                section="adapt",
                objective=objective,
                patience=settings.patience,
                log=log_to_file(temporary / f"history-{seed}.jsonl"),
            )
            runs.append(metrics)
            scores.append(metrics[about.metrics[0]])
            outputs[seed] = predict(model, validation[VALIDATION].tokens, pad_id=pad_id, device=device)
            if scores.index(max(scores)) == len(scores) - 1:  # of equal seeds, the first is the best
                model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        write_predictions(temporary / PREDICTIONS, validation[VALIDATION].labels, outputs)
        best = settings.seeds[scores.index(max(scores))]
        write_json(temporary / "result.json", {"runs": runs, "seeds": settings.seeds, "best_seed": best})
