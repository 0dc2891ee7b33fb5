"""What MLflow is to know of a cell of the grid."""

from dataclasses import replace
from pathlib import Path

from pipelines import record as student_record
from pipelines.cell import RELATION_LOSSES, SNAPSHOTS, Cell
from textbook.files import read_json
from textbook.params import Params
from textbook.training.log import read_history
from tracking.lineage import dvc_hashes
from tracking.record import Record
from tracking.usage import costs, training_tokens


def begun_record(params: Params, cell: Cell, digest: str, history: Path) -> Record:
    """The record of a cell whose distillation writes its figures to `history`."""
    hashes = dvc_hashes(cell.artefacts(params))
    return student_record.begun_record(cell.params(params), cell.task, digest, hashes, history)


def finished_record(params: Params, cell: Cell, folder: Path) -> Record:
    """The record of the cell that is done in `folder`."""
    history = folder / "distilled" / "history.jsonl"
    figures = read_json(folder / "result.json")
    metrics = {
        **{f"student/{name}": value for name, value in figures["scores"].items()},
        **{name: figures[name] for name in RELATION_LOSSES if name in figures},  # cells of old have one only
        **costs(
            figures["seconds"],
            training_tokens(read_history(history)),
            params.tracking.cost_per_hour,
            devices=params.sweep.gpus or 1,
        ),
    }
    begun = begun_record(params, cell, folder.name, history)
    begun = replace(begun, curves={**begun.curves, "snapshot": folder / SNAPSHOTS})
    return student_record.with_student(begun, cell.params(params), cell.task, folder / "student", metrics)
