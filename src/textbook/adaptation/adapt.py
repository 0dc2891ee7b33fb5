"""Fine-tuning an encoder on a task with every seed, and keeping the best model."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from textbook.evaluation.metrics import measure_classifier, read_validation
from textbook.evaluation.predictions import PREDICTIONS, write_predictions
from textbook.files import atomic_write, write_json
from textbook.models.classifier import load_classifier, read_classifier
from textbook.models.encoder import load_tokenizer
from textbook.params import Adapt, Task
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
            (`result.json`), the history and the predictions on the first validation split.
        train_words: train the word embeddings too.

    Raises:
        UserError: a model cannot read the texts or has too few outputs, or a loss or a weight is not finite.
        SystemExit: SIGTERM was received.
    """
    task = with_classes(task, data)
    tokenizer, device = load_tokenizer(teacher), best_device()
    pad_id = tokenizer.pad_token_id
    train = read_labelled(data, TRAIN, tokenizer, settings.max_length)
    validation = read_validation(data, tokenizer, settings.max_length)
    measure = partial(measure_classifier, splits=validation, metrics=task.metrics, pad_id=pad_id, device=device)

    def predict_as_teacher() -> NDArray[np.float32]:
        model = read_classifier(teacher)
        check_readable(model.config, train.tokens, pad_id, whose="teacher", section="adapt")
        return predict(model, train.tokens, pad_id=pad_id, device=device)

    objective = make_objective(settings, train.labels, len(task.outputs), predict_as_teacher)
    runs: list[dict[str, float]] = []
    scores: list[float] = []
    outputs: dict[int, NDArray[np.float32]] = {}
    with atomic_write(target) as temporary:
        temporary.mkdir()
        for seed in settings.seeds:
            with tempfile.TemporaryDirectory() as name:
                encoder = encoder_of(seed, Path(name))
                model = load_classifier(encoder, task.outputs, seed, regression=task.regression)
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
            scores.append(metrics[task.metrics[0]])
            outputs[seed] = predict(model, validation[VALIDATION].tokens, pad_id=pad_id, device=device)
            if scores.index(max(scores)) == len(scores) - 1:  # of equal seeds, the first is the best
                model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        write_predictions(temporary / PREDICTIONS, validation[VALIDATION].labels, outputs)
        best = settings.seeds[scores.index(max(scores))]
        write_json(temporary / "result.json", {"runs": runs, "seeds": settings.seeds, "best_seed": best})
