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
NOT_WORTH_IT = "not worth it"  # refused because of the baselines
TRAINING_ROWS = "training_rows"  # tag of a version: the number of labelled rows it was trained on
JUDGED_BY = "gate.rules"  # tag of a version that was judged: the section `registry` as it was then
AS_FAST = 1.05  # two versions are as fast if neither takes more than this times as long: less is noise
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
    behind: float
    """Percentage points by which it scores below the task's present teacher."""


Compare = Callable[[Path, int], tuple[Measured, Measured]]
"""Measures the champion, given its folder and its number of training rows, and the challenger; returns both."""


def compare_versions(champion: Measured, challenger: Measured, rules: Registry) -> tuple[bool, list[str]]:
    """Apply the rules of the gate.

    Returns:
        Whether the challenger replaces the champion, and a line on each rule.
    """
    scores = f"score {challenger.score:.2f}, champion {champion.score:.2f}"
    times = f"{challenger.ms_per_sentence:.2f} ms per text, champion {champion.ms_per_sentence:.2f}"
    gains = challenger.score - champion.score > rules.margin
    slowdown = challenger.ms_per_sentence / champion.ms_per_sentence
    if rules.fastest_within is None:
        checks = [
            (gains, f"{scores} (required: a gain of more than {rules.margin:g})"),
            (slowdown <= rules.max_slowdown, f"{times} (required: at most {rules.max_slowdown:g} times as long)"),
        ]
    elif champion.behind > rules.fastest_within:
        checks = [(True, f"{scores}, which is {_distance(champion.behind, rules.fastest_within)}")]
    elif 1 / AS_FAST <= slowdown <= AS_FAST:
        checks = [(gains, f"{scores}; {times}: as fast (required: a gain of more than {rules.margin:g})")]
    else:
        checks = [(slowdown < 1, f"{times} (required: less time)")]
    rows = (
        f"{challenger.training_rows} training rows, champion {champion.training_rows}"
        f" (required: at least {rules.min_data:g} times as many)"
    )
    checks.append((challenger.training_rows >= rules.min_data * champion.training_rows, rows))
    return all(passed for passed, _ in checks), [f"{'yes' if passed else 'NO'}: {text}" for passed, text in checks]


def _distance(behind: float, within: float) -> str:
    """How far a version is from its teacher, and how far it may be."""
    side = "below" if behind > 0 else "above"
    return f"{abs(behind):.2f} points {side} the teacher (registry.fastest_within: at most {within:g} below)"


def pass_gate(
    client: MlflowClient,
    task: str,
    version: str,
    compare: Compare,
    rules: Registry,
    *,
    warning: str = "",
    behind: float = 0.0,
) -> str:
    """Decide whether a version becomes champion, and tag the version with the decision and its reasons.

    A version is judged only once, except that one which was refused is judged again when the rules have changed. It
    becomes champion without a comparison if there is no champion, or if the registry says that the champion's model was
    deleted. If the comparison fails for any other reason, the version stays challenger and is judged the next time.

    Args:
        compare: measures the champion and the version.
        warning: which baselines the version does not beat, in one line. It is then refused without a comparison, unless
            `rules.allow_worse`. Empty if it beats them all.
        behind: percentage points by which the version scores below its teacher. If they are more than
            `rules.fastest_within`, it is refused without a comparison.

    Returns:
        The alias of the version.

    Raises:
        UserError: the version could not be compared with the champion.
    """
    champion = version_with_alias(client, task, CHAMPION)
    is_champion = champion is not None and str(champion.version) == version
    tags, judged_by = client.get_model_version(task, version).tags, rules.model_dump_json()
    decided = tags.get(DECISION)
    judge_again = decided in (REFUSED, NOT_WORTH_IT) and tags.get(JUDGED_BY) != judged_by
    if decided and (is_champion or not judge_again):
        return CHAMPION if is_champion else CHALLENGER
    within, refusal = rules.fastest_within, REFUSED
    if is_champion:  # a process that was killed may have promoted it already
        promoted, reasons = True, ["yes: it is the champion"]
    elif warning and not rules.allow_worse:
        promoted, reasons, refusal = (
            False,
            [f"NO: {warning} (to accept it, set registry.allow_worse: true)"],
            NOT_WORTH_IT,
        )
    elif within is not None and behind > within:
        promoted, reasons = False, [f"NO: {_distance(behind, within)}"]
    elif champion is None:
        promoted, reasons = True, ["yes: there is no champion"]
    else:
        promoted, reasons = _judge(client, task, version, champion, compare, rules)
    if within is not None and behind <= within and not is_champion:
        reasons = [f"yes: {_distance(behind, within)}", *reasons]
    if warning and rules.allow_worse:
        reasons = [f"yes: registry.allow_worse: {warning}", *reasons]
    client.set_model_version_tag(task, version, REASONS, "\n".join(reasons))
    for line in reasons:
        print(f"{task} version {version}: {line}")
    if promoted:
        client.set_registered_model_alias(task, CHAMPION, version)
        client.delete_registered_model_alias(task, CHALLENGER)
    client.set_model_version_tag(task, version, JUDGED_BY, judged_by)
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
