"""The view of the runs with which the UI opens: columns, and charts that compare the cells of a sweep.

MLflow keeps a shared view in a tag of the experiment and opens it by the tag's name. The names are those of its UI.
"""

import json
from typing import Any

from mlflow import MlflowClient

from tracking.usage import ESTIMATE, SECONDS

VIEW = "textbook"
TAG = f"mlflow.sharedViewState.{VIEW}"
NOTE = "mlflow.note.content"
SCORE, SPREAD, PROBE = "student/score", "student/score_std", "task_relation_loss"
AXES = ("task", "init", "teacher", "textbook")
METRICS = (SCORE, SPREAD, PROBE, "student/ms_per_sentence", SECONDS, ESTIMATE)
DESCRIPTION = """\
A run is a student: `task · init · teacher · textbook`, each word a parameter of that name. `student/score` is the
metric of the task on the validation data in percent, the mean over the seeds of the adaptation; `task_relation_loss`,
the lower the better, has less noise. A sweep's run holds the runs of its cells.
"""


def share_view(client: MlflowClient, experiment: str) -> str:
    """Put the view into the experiment; gives the page of the UI that opens it, to be appended to the server's URI."""
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
    """Parallel coordinates over the grid's axes, a bar for each cell, and the loss by step."""
    shared = {"runsCountToCompare": 100, "deleted": False, "isGenerated": False}
    cells = {**shared, "metricSectionId": "cells"}
    bars = [
        {**cells, "type": "BAR", "uuid": f"bar-{name}", "metricKey": name, "displayName": name}
        for name in (SCORE, PROBE, SECONDS)
    ]
    parallel = {
        **cells,
        "type": "PARALLEL",
        "uuid": "grid",
        "displayName": "init, teacher and textbook against the score",
        "selectedParams": list(AXES[1:]),
        "selectedMetrics": [PROBE, SCORE],
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
