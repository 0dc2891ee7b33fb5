"""Promotion of registered models: the gate that decides whether a new version becomes champion, and rollback."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from textbook.errors import UserError
from textbook.params import Registry
from tracking.pull import pull
from tracking.registry import CHALLENGER, CHAMPION

DECISION = "gate.decision"  # tag of a version: one of the three values below
PROMOTED, REFUSED, ROLLED_BACK = "promoted", "refused", "rolled back"
REASONS = "gate.reasons"  # tag of a version: the outcome of each rule
TRAINING_ROWS = "training_rows"  # tag of a version: the number of labelled rows it was trained on


@dataclass(frozen=True)
class Measured:
    """The measurements of a model, made in the same session and on the same rows as those of its competitor."""

    score: float
    """The task's main metric on the validation data, in percent."""
    ms_per_sentence: float
    """CPU time for one text, in milliseconds."""
    training_rows: int
    """The number of labelled rows it was trained on."""


Compare = Callable[[Path, int], tuple[Measured, Measured]]
"""Measures the champion, given its folder and its number of training rows, and the challenger; returns both."""


def compare_versions(champion: Measured, challenger: Measured, rules: Registry) -> tuple[bool, list[str]]:
    """Apply the rules of the gate.

    Returns:
        Whether the challenger replaces the champion, and a line on each rule.
    """
    gain = challenger.score - champion.score
    slowdown = challenger.ms_per_sentence / champion.ms_per_sentence
    passed = (
        gain > rules.margin,
        slowdown <= rules.max_slowdown,
        challenger.training_rows >= rules.min_data * champion.training_rows,
    )
    texts = (
        f"score {challenger.score:.2f}, champion {champion.score:.2f} (required: a gain of more than {rules.margin:g})",
        f"{challenger.ms_per_sentence:.2f} ms per text, champion {champion.ms_per_sentence:.2f}"
        f" (required: at most {rules.max_slowdown:g} times as long)",
        f"{challenger.training_rows} training rows, champion {champion.training_rows}"
        f" (required: at least {rules.min_data:g} times as many)",
    )
    return all(passed), [f"{'yes' if ok else 'NO'}: {text}" for ok, text in zip(passed, texts, strict=True)]


def champion_of(client: MlflowClient, task: str) -> ModelVersion | None:
    """The champion of a task; None if the task has no registered model or no champion."""
    try:
        return client.get_model_version_by_alias(task, CHAMPION)
    except MlflowException:
        return None


def pass_gate(client: MlflowClient, task: str, version: str, compare: Compare, rules: Registry) -> str:
    """Decide whether a version becomes champion, and tag the version with the decision and its reasons.

    A version is judged only once. It becomes champion without a comparison if there is no champion, or if the champion
    cannot be pulled.

    Args:
        compare: measures the champion and the version.

    Returns:
        The alias of the version.
    """
    champion = champion_of(client, task)
    candidate = client.get_model_version(task, version)
    if DECISION in candidate.tags:
        return CHAMPION if champion and str(champion.version) == version else CHALLENGER
    promoted, reasons = True, ["yes: there is no champion"]
    if champion:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / CHAMPION
            try:
                pull(task, CHAMPION, folder)
                promoted, reasons = compare_versions(*compare(folder, int(champion.tags.get(TRAINING_ROWS, 0))), rules)
            except UserError as error:
                reasons = [f"yes: the champion cannot be compared: {error}"]
    client.set_model_version_tag(task, version, REASONS, "\n".join(reasons))
    client.set_model_version_tag(task, version, DECISION, PROMOTED if promoted else REFUSED)
    for reason in reasons:
        print(f"{task} version {version}: {reason}")
    if not promoted:
        return CHALLENGER
    client.set_registered_model_alias(task, CHAMPION, version)
    client.delete_registered_model_alias(task, CHALLENGER)
    return CHAMPION


def rollback(client: MlflowClient, task: str, version: str = "") -> tuple[str, str]:
    """Make an earlier version champion again: the previous champion, or the given version.

    Returns:
        The former champion's version and the new champion's.

    Raises:
        UserError: there is no champion, no earlier champion, or no such version.
    """
    champion = champion_of(client, task)
    if champion is None:
        raise UserError(f"no model {task!r} with the alias {CHAMPION!r} is registered")
    current = str(champion.version)
    tags = {str(known.version): known.tags for known in client.search_model_versions(f"name = '{task}'")}
    if version and version not in tags:
        raise UserError(f"model {task!r} has no version {version!r}; it has {', '.join(sorted(tags, key=int))}")
    earlier = [number for number in tags if tags[number].get(DECISION) == PROMOTED and int(number) < int(current)]
    target = version or max(earlier, key=int, default="")
    if not target:
        raise UserError(f"model {task!r}: no earlier version than {current} was champion")
    client.set_registered_model_alias(task, CHAMPION, target)
    if target != current:
        client.set_model_version_tag(task, current, DECISION, ROLLED_BACK)
    client.set_model_version_tag(task, target, DECISION, PROMOTED)
    return current, target
