"""Stage `register@t`: complete the MLflow run with all that is known of the student, and register it."""

from pipelines.record import finished_record
from pipelines.stage import MODELS, REGISTRY, run
from textbook.files import read_json, write_json
from textbook.params import Params
from tracking.registry import register as register_model
from tracking.runs import record_cell
from tracking.store import connect, experiment_id


def register(params: Params, task: str) -> None:
    """Write which run and which version of the registered model the student became."""
    client = connect()
    begun_as = read_json(MODELS / task / "distilled" / "run.json")["cell"]
    experiment = experiment_id(client, params.tracking.experiment)
    run_id = record_cell(client, experiment, finished_record(params, task), begun_as=begun_as)
    version = register_model(client, task, run_id)
    write_json(REGISTRY / f"{task}.json", {"model": task, "version": version, "alias": "champion", "run_id": run_id})
    print(f"{task}: registered as version {version}, run {run_id}")


if __name__ == "__main__":
    run(register)
