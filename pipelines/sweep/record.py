"""The MLflow record of a cell of the grid."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pipelines.record import start_record, with_student
from pipelines.sweep.plan import artefacts
from textbook.bundle.origin import origin_tags
from textbook.cells.cell import DISTILLED, LEAD, RELATION_LOSSES, RESULT, SNAPSHOTS, STUDENT, TEST_SCORES, Cell
from textbook.files import read_json
from textbook.params import Params
from textbook.training.engine.log import read_history
from tracking.lineage import dvc_hashes
from tracking.record import Record
from tracking.usage import costs, training_tokens


def start_cell_record(params: Params, cell: Cell, key: str, history: Path) -> Record:
    """The record of a cell when its distillation starts.

    Args:
        history: the history file of the distillation.
    """
    record = start_record(cell.params(params), cell.task, key, dvc_hashes(artefacts(params, cell)), history)
    return replace(record, student=cell.student)


def cell_record(params: Params, cell: Cell, folder: Path, cost: Mapping[str, float]) -> Record:
    """The record of the finished cell in a folder.

    Args:
        cost: what its student costs; see `student_costs`.
    """
    history = folder / DISTILLED / "history.jsonl"
    figures = read_json(folder / RESULT)
    tokens = training_tokens(read_history(history))
    metrics = {
        **{f"student/{name}": value for name, value in figures["scores"].items()},
        **{f"student/{name}": figures[name] for name in LEAD},
        **{f"student/{name}": value for name, value in cost.items()},
        **{f"student/{name}": figures[name] for name in TEST_SCORES if name in figures},
        **{name: figures[name] for name in RELATION_LOSSES},
        **costs(figures["seconds"], tokens, params.tracking.cost_per_hour, devices=params.sweep.gpus or 1),
    }
    record = start_cell_record(params, cell, folder.name, history)
    curves = {**record.curves, "snapshot": folder / SNAPSHOTS}
    record = replace(record, curves=curves, tags={**record.tags, **origin_tags(folder)})
    return with_student(record, cell.params(params), cell.task, folder / STUDENT, metrics)
