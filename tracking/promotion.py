"""Which version of a registered model is the champion: a gate for new ones, and the way back.

`python -m tracking.promotion TASK [VERSION]` makes the champion before this one, or the version named, champion again.
"""

import sys
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
from tracking.store import connect

DECISION = "gate.decision"  # tag of a version: one of the three below
PROMOTED, REFUSED, ROLLED_BACK = "promoted", "refused", "rolled back"
REASONS = "gate.reasons"
TRAINING_ROWS = "training_rows"  # tag of a version: how many labelled rows it has seen


@dataclass(frozen=True)
class Measured:
    """A model, measured on the same rows and in the same minutes as the one that it is compared with."""

    score: float
    """The task's metric on the validation data, in percent."""
    ms_per_sentence: float
    """Milliseconds for a text on the CPU."""
    training_rows: int
    """Labelled rows that it has seen."""


Compare = Callable[[Path, int], tuple[Measured, Measured]]
"""Given the champion's folder and how many labelled rows it has seen: the champion and the challenger, measured."""


def judge(champion: Measured, challenger: Measured, rules: Registry) -> tuple[bool, list[str]]:
    """Whether the challenger takes the champion's place, and a sentence on each rule."""
    gain = challenger.score - champion.score
    slowdown = challenger.ms_per_sentence / champion.ms_per_sentence
    passed = (
        gain > rules.margin,
        slowdown <= rules.max_slowdown,
        challenger.training_rows >= rules.min_data * champion.training_rows,
    )
    texts = (
        f"score {challenger.score:.2f} against {champion.score:.2f}: more than {rules.margin:g} above it",
        f"{challenger.ms_per_sentence:.2f} ms a text against {champion.ms_per_sentence:.2f}:"
        f" at most {rules.max_slowdown:g} times as long",
        f"{challenger.training_rows} training rows against {champion.training_rows}:"
        f" at least {rules.min_data:g} of them",
    )
    return all(passed), [f"{'yes' if yes else 'NO'}: {text}" for yes, text in zip(passed, texts, strict=True)]


def champion_of(client: MlflowClient, task: str) -> ModelVersion | None:
    """The champion; None if there is none, or nothing is registered."""
    try:
        return client.get_model_version_by_alias(task, CHAMPION)
    except MlflowException:
        return None


def pass_gate(client: MlflowClient, task: str, version: str, compare: Compare, rules: Registry) -> str:
    """Decide whether a version becomes champion, note why on the version, and give its alias; decided is decided.

    The first version becomes champion, and so does one whose champion can't be pulled any more.

    Args:
        compare: measures the champion in a folder beside the version.
    """
    champion = champion_of(client, task)
    found = client.get_model_version(task, version)
    if DECISION in found.tags:
        return CHAMPION if champion and str(champion.version) == version else CHALLENGER
    promoted, reasons = True, ["yes: there is no champion"]
    if champion:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / CHAMPION
            try:
                pull(task, CHAMPION, folder)
                promoted, reasons = judge(*compare(folder, int(champion.tags.get(TRAINING_ROWS, 0))), rules)
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
    """Make the champion before this one champion again, or the version that is named.

    Returns:
        The version that was champion, and the one that is.

    Raises:
        UserError: there is no champion, or none to go back to.
    """
    champion = champion_of(client, task)
    if champion is None:
        raise UserError(f"no model {task!r} with the alias {CHAMPION!r} is registered")
    current = str(champion.version)
    known = {str(found.version): found for found in client.search_model_versions(f"name = '{task}'")}
    if version and version not in known:
        raise UserError(f"model {task!r} has no version {version!r}; it has {', '.join(sorted(known, key=int))}")
    former = [
        number for number, found in known.items() if found.tags.get(DECISION) == PROMOTED and int(number) < int(current)
    ]
    target = version or max(former, key=int, default="")
    if not target:
        raise UserError(f"model {task!r} version {current}: there is no champion before it to go back to")
    client.set_registered_model_alias(task, CHAMPION, target)
    if target != current:
        client.set_model_version_tag(task, current, DECISION, ROLLED_BACK)
    client.set_model_version_tag(task, target, DECISION, PROMOTED)
    return current, target


def main() -> None:
    """Roll back as the command line says."""
    task, version = (*sys.argv[1:], "", "")[:2]
    try:
        if not task:
            raise UserError("name a task: make rollback TASK=rotten_tomatoes [VERSION=1]")
        before, after = rollback(connect(), task, version)
    except UserError as error:
        sys.exit(f"error: {error}")
    print(f"{task}: version {after} is champion again, in place of version {before}")


if __name__ == "__main__":
    main()
