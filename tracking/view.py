"""The default view of the MLflow UI: columns, and charts that compare the cells of a sweep.

MLflow stores a shared view as JSON in a tag of the experiment and opens it by the name of the tag. The keys of the JSON
are MLflow's.
"""

import json
from typing import Any

from mlflow import MlflowClient

from tracking.usage import ESTIMATE, SECONDS

VIEW = "textbook"
TAG = f"mlflow.sharedViewState.{VIEW}"
NOTE = "mlflow.note.content"
SCORE, SCORE_STD, RELATION_LOSS = "student/score", "student/score_std", "task_relation_loss"
AXES = ("task", "init", "teacher", "textbook")
METRICS = (SCORE, SCORE_STD, RELATION_LOSS, "student/ms_per_sentence", SECONDS, ESTIMATE)
DESCRIPTION = """\
Each run is a student, named `task · init · teacher · textbook` after its parameters. `student/score` is the task's main
metric on the validation data in percent, averaged over the seeds of adaptation. `task_relation_loss` has less noise;
lower is better. The run of a sweep is the parent of its cells' runs.
"""


def share_view(client: MlflowClient, experiment: str) -> str:
    """Store the view in the experiment.

    Returns:
        The page of the UI that opens the view, to be appended to the server's URI.
    """
    client.set_experiment_tag(experiment, TAG, json.dumps(_state()))
    client.set_experiment_tag(experiment, "mlflow.experimentKind", "custom_model_development")
    if NOTE not in client.get_experiment(experiment).tags:
        client.set_experiment_tag(experiment, NOTE, DESCRIPTION)
    return f"/#/experiments/{experiment}/runs?viewStateShareKey={VIEW}"


def _state() -> dict[str, Any]:
    columns = [f"params.`{name}`" for name in AXES] + [f"metrics.`{name}`" for name in METRICS]
    return {
        "orderByKey": f"metrics.`{SCORE}`",
        "orderByAsc": False,
        "selectedColumns": ["attributes.`Duration`", *columns],
        "compareRunCharts": _charts(),
        "compareRunSections": [
            {"uuid": uuid, "name": name, "display": True, "isReordered": False, "columns": 2, "cardHeight": 400}
            for uuid, name in (("cells", "The grid"), ("curves", "Distillation"))
        ],
        "isAccordionReordered": True,
        "runsHiddenMode": "SHOW_ALL",
        "viewMaximized": True,
    }


def _charts() -> list[dict[str, Any]]:
    """Parallel coordinates over the axes of the grid, bars for each cell, and the loss by step."""
    shared = {"runsCountToCompare": 100, "deleted": False, "isGenerated": False}
    cells = {**shared, "metricSectionId": "cells"}
    bars = [
        {**cells, "type": "BAR", "uuid": f"bar-{name}", "metricKey": name, "displayName": name}
        for name in (SCORE, RELATION_LOSS, SECONDS)
    ]
    parallel = {
        **cells,
        "type": "PARALLEL",
        "uuid": "grid",
        "displayName": "score by init, teacher and textbook",
        "selectedParams": list(AXES[1:]),
        "selectedMetrics": [RELATION_LOSS, SCORE],
        "showAllRuns": True,
    }
    line = {
        **shared,
        "metricSectionId": "curves",
        "type": "LINE",
        "uuid": "loss",
        "displayName": "relation loss by step",
        "metricKey": "distill/loss",
        "selectedMetricKeys": ["distill/loss"],
        "xAxisKey": "step",
        "lineSmoothness": 0,
        "useGlobalXaxisKey": False,
        "useGlobalLineSmoothing": False,
    }
    return [parallel, *bars, line]
