"""Training objectives of a classifier: gold labels, a teacher's predictions, or both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from textbook.params import Adapt


def gold_loss(logits: Tensor, labels: Tensor, class_weights: Tensor | None = None) -> Tensor:
    """Cross-entropy for classification or mean squared error for regression, averaged over the batch.

    Args:
        logits: [batch, classes], or [batch, 1] for regression.
        labels: class indices (int64) or numbers (float) [batch].
        class_weights: [classes]; the rows are averaged with the weights of their classes.
    """
    if labels.is_floating_point():
        return F.mse_loss(logits[:, 0].float(), labels)
    return F.cross_entropy(logits.float(), labels, class_weights)


def teacher_loss(logits: Tensor, predictions: Tensor, temperature: float) -> Tensor:
    """KL(teacher ‖ student) of the softened predictions, times the temperature squared [Hinton et al. 2015].

    With a single output (regression) the loss is the mean squared error. Both are averaged over the batch.

    Args:
        logits: the student's [batch, outputs].
        predictions: the teacher's logits [batch, outputs].
    """
    if logits.shape[1] == 1:
        return F.mse_loss(logits.float(), predictions)
    student, teacher = ((output.float() / temperature).log_softmax(1) for output in (logits, predictions))
    return temperature**2 * F.kl_div(student, teacher, reduction="batchmean", log_target=True)


def balanced_weights(labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """Class weights that give every class the same total weight: rows / (classes x rows of the class)."""
    counts = np.bincount(labels, minlength=classes)
    return (len(labels) / (classes * np.maximum(counts, 1))).astype(np.float32)


@dataclass(frozen=True)
class Objective:
    """A weighted mean of the gold loss and the teacher loss; by default the gold loss only."""

    share: float = 0.0
    """The weight of the teacher loss, from 0 to 1."""
    predictions: NDArray[np.float32] | None = None
    """The teacher's logits for every row of the training data [rows, outputs]; needed unless `share` is 0."""
    temperature: float = 1.0
    class_weights: NDArray[np.float32] | None = None
    """Class weights of the gold loss [classes]."""

    def loss(self, logits: Tensor, labels: Tensor, rows: NDArray[Any]) -> Tensor:
        """The loss of a batch, which has the rows `rows` of the training data."""
        gold = teacher = torch.zeros((), device=logits.device)
        if self.share < 1:
            weights = None if self.class_weights is None else torch.from_numpy(self.class_weights).to(logits.device)
            gold = gold_loss(logits, labels, weights)
        if self.share > 0:
            assert self.predictions is not None
            predictions = torch.from_numpy(self.predictions[rows]).to(logits.device)
            teacher = teacher_loss(logits, predictions, self.temperature)
        return (1 - self.share) * gold + self.share * teacher


GOLD = Objective()


def make_objective(
    settings: Adapt, labels: NDArray[Any], classes: int, predict: Callable[[], NDArray[np.float32]]
) -> Objective:
    """Make the objective described by the parameters.

    Args:
        labels: labels of the training data. Class weights apply only to class indices, not to numbers.
        predict: returns the teacher's logits for the training data; called once, and only if they are needed.
    """
    share = {"gold": 0.0, "teacher": 1.0, "both": settings.weight}[settings.targets]
    weighted = settings.class_weights == "balanced" and np.issubdtype(labels.dtype, np.integer)
    return Objective(
        share=share,
        predictions=predict() if share else None,
        temperature=settings.temperature,
        class_weights=balanced_weights(labels, classes) if weighted else None,
    )
