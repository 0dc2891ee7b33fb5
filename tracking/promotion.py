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
from tracking.address import reason
from tracking.pull import pull
from tracking.registry import CHALLENGER, CHAMPION, REASONS, version_with_alias

DECISION = "gate.decision"  # tag of a version that was judged: one of the four values below
PROMOTED, REFUSED, ROLLED_BACK = "promoted", "refused", "rolled back"
NOT_WORTH_IT = "not worth it"  # refused because of the baselines; judged again once `registry.allow_worse` is set
TRAINING_ROWS = "training_rows"  # tag of a version: the number of labelled rows it was trained on
_LOGGED_MODEL = "models:/"  # prefix of the source of a version that this project registers


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


def pass_gate(
    client: MlflowClient, task: str, version: str, compare: Compare, rules: Registry, *, warning: str = ""
) -> str:
    """Decide whether a version becomes champion, and tag the version with the decision and its reasons.

    A version is judged only once, except that one which was not worth it is judged again when the rules allow it. It
    becomes champion without a comparison if there is no champion, or if the registry says that the champion's model was
    deleted. If the comparison fails for any other reason, the version stays challenger and is judged the next time.

    Args:
        compare: measures the champion and the version.
        warning: which baselines the version does not beat, in one line. It is then refused without a comparison, unless
            `rules.allow_worse`. Empty if it beats them all.

    Returns:
        The alias of the version.

    Raises:
        UserError: the version could not be compared with the champion.
    """
    champion = version_with_alias(client, task, CHAMPION)
    is_champion = champion is not None and str(champion.version) == version
    decided = client.get_model_version(task, version).tags.get(DECISION)
    if decided and not (decided == NOT_WORTH_IT and rules.allow_worse and not is_champion):
        return CHAMPION if is_champion else CHALLENGER
    refusal = REFUSED
    if is_champion:  # a process that was killed may have promoted it already
        promoted, reasons = True, ["yes: it is the champion"]
    elif warning and not rules.allow_worse:
        promoted, reasons, refusal = (
            False,
            [f"NO: {warning} (to accept it, set registry.allow_worse: true)"],
            NOT_WORTH_IT,
        )
    elif champion is None:
        promoted, reasons = True, ["yes: there is no champion"]
    else:
        promoted, reasons = _judge(client, task, version, champion, compare, rules)
    if warning and rules.allow_worse:
        reasons = [f"yes: registry.allow_worse: {warning}", *reasons]
    client.set_model_version_tag(task, version, REASONS, "\n".join(reasons))
    for line in reasons:
        print(f"{task} version {version}: {line}")
    if promoted:
        client.set_registered_model_alias(task, CHAMPION, version)
        client.delete_registered_model_alias(task, CHALLENGER)
    client.set_model_version_tag(task, version, DECISION, PROMOTED if promoted else refusal)
    return CHAMPION if promoted else CHALLENGER


def _judge(
    client: MlflowClient, task: str, version: str, champion: ModelVersion, compare: Compare, rules: Registry
) -> tuple[bool, list[str]]:
    """Compare a version with the champion, unless the champion was deleted; see `compare_versions`.

    Raises:
        UserError: the comparison failed. The version is tagged with the reason.
    """
    try:
        if _is_deleted(client, champion):
            return True, [f"yes: the model of the champion, version {champion.version}, was deleted"]
        rows = champion.tags.get(TRAINING_ROWS, "")
        if not rows.isdecimal():
            raise UserError(f"its tag {TRAINING_ROWS} is {rows!r}, not a number of rows")
        with tempfile.TemporaryDirectory() as name:
            pull(task, CHAMPION, Path(name) / CHAMPION)
            return compare_versions(*compare(Path(name) / CHAMPION, int(rows)), rules)
    except (UserError, OSError, MlflowException) as error:
        failure = f"not judged: the champion, version {champion.version}, cannot be compared: {reason(error)}"
        client.set_model_version_tag(task, version, REASONS, failure)
        raise UserError(
            f"{task} version {version} stays {CHALLENGER}, {failure}; run the same command again, or make it champion"
            f" without a comparison: make rollback TASK={task} VERSION={version}"
        ) from None


def _is_deleted(client: MlflowClient, version: ModelVersion) -> bool:
    """Whether the registry says that the model of a version was deleted. An error is no answer.

    Raises:
        MlflowException: the registry does not answer.
    """
    if not version.run_id or not version.source or not version.source.startswith(_LOGGED_MODEL):
        return False
    query = f"source_run_id = '{version.run_id}'"
    models = client.search_logged_models([client.get_run(version.run_id).info.experiment_id], query)
    return version.source.removeprefix(_LOGGED_MODEL) not in {model.model_id for model in models}


def rollback(client: MlflowClient, task: str, version: str = "") -> tuple[str, str]:
    """Make an earlier version champion again: the previous champion, or the given version.

    Returns:
        The former champion's version and the new champion's.

    Raises:
        UserError: there is no champion, no earlier champion, or no such version.
    """
    champion = version_with_alias(client, task, CHAMPION)
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
