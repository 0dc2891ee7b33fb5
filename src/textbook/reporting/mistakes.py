"""Texts on which a student fails and its teacher doesn't."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

MOST = 10  # examples


class Mistake(NamedTuple):
    """A text, its label, and what the models say of it."""

    text: str
    label: str
    teacher: str
    student: str


def wrong_classes(
    texts: Sequence[str],
    labels: NDArray[Any],
    teacher: NDArray[np.float32],
    student: NDArray[np.float32],
    names: Sequence[str],
) -> list[Mistake]:
    """The texts that the teacher classifies rightly and the student wrongly, the student's most confident first.

    Args:
        labels: class indices [rows].
        teacher: its logits [rows, classes].
        student: its logits [rows, classes].
        names: the names of the classes.
    """
    confident = softmax(student.astype(np.float64), axis=1).max(1)
    (rows,) = np.nonzero((teacher.argmax(1) == labels) & (student.argmax(1) != labels))
    order = rows[np.argsort(-confident[rows], kind="stable")][:MOST]
    return [
        Mistake(texts[row], names[labels[row]], _answer(teacher[row], names), _answer(student[row], names))
        for row in order
    ]


def largest_errors(
    texts: Sequence[str], labels: NDArray[Any], teacher: NDArray[np.float32], student: NDArray[np.float32]
) -> list[Mistake]:
    """The texts with the student's largest errors, of those where the teacher's error is smaller.

    Args:
        labels: numbers [rows].
        teacher: its predicted numbers [rows, 1].
        student: its predicted numbers [rows, 1].
    """
    errors, teacher_errors = (np.abs(outputs[:, 0] - labels) for outputs in (student, teacher))
    (rows,) = np.nonzero(teacher_errors < errors)
    order = rows[np.argsort(-errors[rows], kind="stable")][:MOST]
    return [
        Mistake(texts[row], f"{labels[row]:g}", f"{teacher[row, 0]:.2f}", f"{student[row, 0]:.2f}") for row in order
    ]


def _answer(logits: NDArray[np.float32], names: Sequence[str]) -> str:
    """The most probable class and its probability."""
    shares = softmax(logits.astype(np.float64))
    return f"{names[shares.argmax()]} ({100 * shares.max():.1f} %)"
