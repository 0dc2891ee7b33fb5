"""Choosing a registered version by its size and its time."""

from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from textbook.errors import UserError
from tracking.registry import BYTES, MILLISECONDS, SCORE, all_versions, not_registered


class Candidate(NamedTuple):
    """A version, with what its tags say of it."""

    version: ModelVersion
    score: float
    """The task's main metric in percent, on the validation data of its time."""
    ms: float
    """CPU time for one text in milliseconds, on the machine that registered it."""
    mb: float
    """Megabytes of its weights."""

    def __str__(self) -> str:
        return f"version {self.version.version} (score {self.score:.2f}, {self.ms:.2f} ms per text, {self.mb:.1f} MB)"


def best_within(
    client: MlflowClient, task: str, max_ms: float | None, max_mb: float | None
) -> tuple[Candidate, list[str]]:
    """The version of a task's model with the highest score, of those within the limits; of equal scores, the newest.

    All versions count, also those that did not become champion.

    Args:
        max_ms, max_mb: the most milliseconds and megabytes; None: no limit.

    Returns:
        The version, and the numbers of those that are left out because they have no figures.

    Raises:
        UserError: no version has figures or is within the limits, the model is not registered, or the registry does not
            answer.
    """
    versions = all_versions(client, task)
    if not versions:
        raise not_registered(client, task)
    found = [(str(version.version), _candidate(version)) for version in versions]
    candidates = [candidate for _, candidate in found if candidate]
    if not candidates:
        raise UserError(
            f"model {task!r}: no version has the tags {SCORE}, {MILLISECONDS} and {BYTES}, by which one is chosen;"
            f" to add them to the version of this project's student, run"
            f" `dvc repro --force --single-item register@{task}`"
        )
    fitting = [
        candidate
        for candidate in candidates
        if (max_ms is None or candidate.ms <= max_ms) and (max_mb is None or candidate.mb <= max_mb)
    ]
    if not fitting:
        raise UserError(f"model {task!r}: no version is within the limits; {_least(candidates, max_ms, max_mb)}")
    best = max(fitting, key=lambda candidate: (candidate.score, int(candidate.version.version)))
    return best, [number for number, candidate in found if candidate is None]


def _candidate(version: ModelVersion) -> Candidate | None:
    """A version with its figures; None if a tag is missing or not a number."""
    try:
        score, ms, size = (float(version.tags[name]) for name in (SCORE, MILLISECONDS, BYTES))
    except (KeyError, ValueError):
        return None
    return Candidate(version, score, ms, size / 1e6) if all(map(isfinite, (score, ms, size))) else None


def _least(candidates: Sequence[Candidate], max_ms: float | None, max_mb: float | None) -> str:
    """The fastest and the smallest version there is, as far as there are limits."""
    parts = []
    if max_ms is not None:
        parts.append(f"the fastest is {min(candidates, key=lambda candidate: candidate.ms)}")
    if max_mb is not None:
        parts.append(f"the smallest is {min(candidates, key=lambda candidate: candidate.mb)}")
    return " and ".join(parts)
