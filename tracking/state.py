"""What MLflow says today of a student that a stage registered."""

from collections.abc import Mapping

from mlflow.exceptions import MlflowException

from textbook.errors import UserError
from tracking.address import reason, tracking_uri
from tracking.store import connect, local_database


def registered_today(task: str, written: Mapping[str, str]) -> dict[str, str]:
    """The model, version, aliases and run of a registered student, for the report.

    The stage wrote them when it ran. Since then the champion may have changed, and DVC may have restored the file from
    a run with another MLflow. If MLflow does not answer, the reason is in place of the alias.

    Args:
        written: what the stage wrote.
    """
    state = {name: str(written[name]) for name in ("model", "version", "alias", "run_id")}
    command = f"dvc repro --force --single-item register@{task}"
    missing = {"version": "none", "alias": f"none: this MLflow has no such version; to register it, run `{command}`"}
    if not tracking_uri() and not local_database().is_file():
        return {**state, **missing}
    try:
        client = connect()
        models = client.search_registered_models(f"name = '{task}'")
        versions = client.search_model_versions(f"name = '{task}' AND run_id = '{state['run_id']}'") if models else []
    except (MlflowException, UserError) as error:
        return {**state, "alias": f"unknown: {reason(error)}"}
    if not versions:
        return {**state, **missing}
    number = str(versions[0].version)
    aliases = sorted(alias for alias, version in models[0].aliases.items() if str(version) == number)
    return {**state, "version": number, "alias": ", ".join(aliases) or "none"}
