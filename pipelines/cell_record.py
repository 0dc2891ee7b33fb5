"""What MLflow is to know of a cell of the grid."""

from dataclasses import replace
from pathlib import Path

from pipelines.cell import Cell
from pipelines.stage import CORPUS, TASKS, textbook_files
from textbook.files import read_json
from textbook.params import Params
from textbook.tasks.prepare import read_split, text_columns
from tracking.lineage import dvc_hashes, git_tags
from tracking.record import Input, Record, flatten


def begun_record(params: Params, cell: Cell, digest: str, history: Path) -> Record:
    """The record of a cell whose distillation writes its figures to `history`."""
    mine = cell.params(params)
    sections = mine.model_dump(exclude={"assets", "tasks", "sweep"})
    books = [("textbook", path) for path in textbook_files(cell.task, cell.textbook)]
    hashes = dvc_hashes(cell.artefacts(params))
    return Record(
        digest,
        cell.task,
        cell.init,
        cell.teacher,
        cell.textbook,
        params=flatten({**sections, "tasks": {cell.task: params.task(cell.task).model_dump()}}),
        tags={**git_tags(), **{f"dvc.{path}": md5 for path, md5 in hashes.items()}},
        inputs=[
            Input(context, path, hashes.get(str(path)))
            for context, path in (("task", TASKS / cell.task), ("corpus", CORPUS), *books)
        ],
        curves={"distill": history},
    )


def finished_record(params: Params, cell: Cell, folder: Path) -> Record:
    """The record of the cell that is done in `folder`."""
    begun = begun_record(params, cell, folder.name, folder / "distilled" / "history.jsonl")
    student, figures = folder / "student", read_json(folder / "result.json")
    histories = {f"student/{path.stem.removeprefix('history-')}": path for path in student.glob("history-*.jsonl")}
    metric = figures["metric"]
    metrics = {f"student/{metric}": figures["mean"], f"student/{metric}_std": figures["std"]}
    others = {name: float(figures[name]) for name in ("task_relation_loss", "seconds")}
    rows = read_split(TASKS / cell.task, "validation")
    return replace(
        begun,
        curves={**begun.curves, **histories},
        metrics={**metrics, **others},
        model=student,
        example=[rows[column][0].as_py() for column in text_columns(params.task(cell.task))],
    )
