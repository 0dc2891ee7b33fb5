"""Stages `majority@task`, `tfidf@task` and `embeddings@task`: what a user would try without a student.

Only figures and predictions are stored, because scikit-learn can save its models as pickles only.
"""

from collections.abc import Callable
from enum import StrEnum

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.cli import run
from pipelines.paths import ASSETS, MODELS, TASKS
from textbook.assets.manifest import locate
from textbook.baselines.embeddings import EmbeddingFeatures
from textbook.baselines.linear import FP32, LinearModel, Texts, fit_constant, fit_linear
from textbook.baselines.tfidf import TfidfFeatures
from textbook.evaluation.cost import milliseconds
from textbook.evaluation.metrics import measure_outputs
from textbook.evaluation.predictions import splits_to_predict, write_predictions
from textbook.files import atomic_write, write_json
from textbook.params import Params
from textbook.tasks.splits import (
    TRAIN,
    VALIDATION,
    evaluation_splits,
    read_split,
    texts,
    validation_splits,
    with_classes,
)
from textbook.training.engine.device import Device, best_device
from textbook.training.finetuning.labelled import labels_of

Answer = Callable[[Texts], NDArray[np.float32]]
"""Gives the outputs for texts: logits [rows, classes], or predicted numbers [rows, 1]."""
SEED = 0  # in the predictions; nothing is random
CPU = Device(torch.device("cpu"), bf16=False)


class Kind(StrEnum):
    """What is trained."""

    majority = "majority"
    """Always the commonest class of the training data, or the mean label of a scale."""
    tfidf = "tfidf"
    """TF-IDF and a linear model."""
    embeddings = "embeddings"
    """Embeddings of the pretrained teacher and a linear model."""


def main(params: Params, kind: Kind, task: str) -> None:
    """Write the metrics, the cost and the predictions of a baseline.

    The cost is the number of parameters, their bytes in fp32 with the vocabulary, and milliseconds: the median for one
    validation text at a time on the CPU, from the text to the answer. So unlike those of the stage `evaluate`, they
    include tokenisation.
    """
    about, folder = with_classes(params.task(task), TASKS / task), TASKS / task
    train = read_split(folder, TRAIN)
    tables = {split: read_split(folder, split) for split in evaluation_splits(folder)}
    labels = {split: labels_of(table) for split, table in tables.items()}
    classes = None if about.regression else len(about.outputs)
    features: TfidfFeatures | EmbeddingFeatures | None = None
    if kind is Kind.majority:
        model = fit_constant(labels_of(train), classes)
    elif kind is Kind.tfidf:
        features = TfidfFeatures(texts(train))
        model = fit_linear(features(texts(train)), labels_of(train), classes, features.strengths)
    else:
        pretrained = locate(ASSETS / params.teacher.asset)
        features = EmbeddingFeatures(pretrained, params.adapt.max_length, best_device())
        model = fit_linear(features.standardise(texts(train)), labels_of(train), classes, features.strengths)
    answer = _answer(model, features)
    outputs = {split: answer(texts(table)) for split, table in tables.items()}
    metrics = measure_outputs(outputs, {split: labels[split] for split in validation_splits(folder)}, about.metrics)
    if isinstance(features, EmbeddingFeatures):
        features.move_to(CPU)
    first, second = texts(tables[VALIDATION].slice(0, params.evaluate.latency_sentences))
    singles: list[Texts] = [(first[n : n + 1], second and second[n : n + 1]) for n in range(len(first))]
    result = {
        "runs": [metrics],
        "strength": model.strength,
        "parameters": model.weights + (features.parameters if features else 0),
        "bytes": FP32 * model.weights + (features.bytes if features else 0),
        "ms_per_sentence": float(f"{milliseconds({kind: answer}, singles)[kind]:.4g}"),
    }
    with atomic_write(MODELS / task / kind) as temporary:
        temporary.mkdir()
        for name, split in splits_to_predict(folder).items():
            write_predictions(temporary / name, labels[split], {SEED: outputs[split]})
        write_json(temporary / "result.json", result)
    print(f"{task}: {kind}: {', '.join(f'{name} {100 * value:.1f}' for name, value in metrics.items())}")


def _answer(model: LinearModel, features: TfidfFeatures | EmbeddingFeatures | None) -> Answer:
    if features is None:
        return lambda texts: model.outputs(np.zeros((len(texts[0]), 1), np.float32))
    return lambda texts: model.outputs(features(texts))


if __name__ == "__main__":
    run(main)
