"""The plan of a sweep: the inputs and folders of its cells, and which cells are done."""

import subprocess
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines.paths import ASSETS, CELLS, INIT, TASKS, teacher_folder, textbook_files
from pipelines.planning.due import read_stages
from pipelines.sweep.grid import all_cells
from pipelines.sweep.progress import DONE, FAILED, STOPPED
from pipelines.work import CELL, work_key
from textbook.cells.cell import RESULT, STOPPED_FILE, Cell
from textbook.errors import UserError
from textbook.files import read_json
from textbook.params import Asha, Params
from textbook.params_file import load_params
from tracking.lineage import dvc_hashes


def params_by_task(params: Params) -> dict[str, Params]:
    """The parameters of each task's cells: `params.yaml` with the changes of `sweep.set` and `sweep.tasks`.

    Raises:
        UserError: a change names an unknown parameter, or its value is not allowed.
    """
    settings = params.sweep
    return {task: load_params(changes=settings.set | settings.tasks.get(task, {})) for task in params.tasks}


def artefacts(params: Params, cell: Cell) -> list[str]:
    """The DVC outputs that a cell needs."""
    teacher = [str(ASSETS / params.teacher.asset)] if cell.teacher == "general" else []
    books = [str(path) for path in textbook_files(cell.task, cell.textbook)]
    init = [] if cell.student else [str(INIT / cell.init)]  # a student with a shape of its own is made by the cell
    return [str(TASKS / cell.task), str(teacher_folder(cell.task)), *init, *teacher, *books]


def input_stages(cells: Sequence[Cell]) -> set[str]:
    """The stages that make the shared inputs of the cells; DVC runs what they need."""
    stages = {f"init_{cell.init}" for cell in cells if not cell.student}
    for cell in cells:
        stages |= {f"teacher@{cell.task}", *(f"{kind}@{cell.task}" for kind in cell.textbook.split("+"))}
    return stages


def make_artefacts(params: Params, cells: Sequence[Cell]) -> None:
    """Let DVC update the shared inputs of the cells.

    Raises:
        UserError: a stage failed; its own message says why.
    """
    if subprocess.run(["dvc", "repro", *sorted(input_stages(cells))]).returncode:
        raise UserError("sweep: `dvc repro` failed for the inputs of the cells; see the error above")


def inputs(params: Params, cell: Cell) -> dict[str, Any]:
    """Everything that determines the result of a cell, except the code: parameters, and hashes of DVC outputs.

    Raises:
        KeyError: a DVC output does not exist yet.
    """
    needed = artefacts(params, cell)
    hashes = dvc_hashes(needed)
    return {
        "cell": asdict(cell),
        "params": cell.params(params).model_dump(include={"student", "distill", "adapt"}),
        "task": params.task(cell.task).model_dump(),
        "artefacts": {path: hashes[path] for path in needed},
    }


def cell_folder(params: Params, cell: Cell) -> Path:
    """The folder of a cell, named by its place in the grid and by a hash of everything that determines its result."""
    return CELLS / cell.slug / work_key(CELL, inputs(params, cell))


def first_folder(params: Params, cell: Cell) -> Path | None:
    """The folder of the cell whose student a cell with two textbooks goes on from; None if it has one textbook.

    None also with ASHA, which compares cells step by step, so that each must begin with the first step.
    """
    return cell_folder(params, cell.first) if may_go_on(params, cell) else None


def may_go_on(params: Params, cell: Cell) -> bool:
    """Whether a cell has two textbooks, and may go on from the student of the cell with the first one."""
    return cell.first != cell and not params.sweep.asha


def is_done(folder: Path) -> bool:
    """Whether the folder of a cell has a result."""
    return (folder / RESULT).is_file()


def was_stopped(folder: Path, asha: Asha | None) -> bool:
    """Whether ASHA stopped the cell early, with the same settings. With others it may run on."""
    mark = folder / STOPPED_FILE
    return asha is not None and mark.is_file() and read_json(mark).get("asha") == asha.model_dump()


def state_of(folder: Path, asha: Asha | None) -> str:
    """The state of a cell that is not running. One that was never started, or was killed, counts as failed.

    Args:
        asha: the current settings of ASHA.
    """
    return DONE if is_done(folder) else STOPPED if was_stopped(folder, asha) else FAILED


def stale_cells(cells: Sequence[Cell]) -> set[Cell]:
    """The cells whose inputs `dvc repro` would make of other parameters, data or code than those that are there.

    Until it has run, the lock file has the hashes of the old inputs, and the cells made from them are found.
    """
    stages = read_stages(sorted(input_stages(cells))) if cells else []
    stale = {stage.name for stage in stages if stage.stale}
    return {cell for cell in cells if stale & input_stages([cell])}


def done_cells(
    params: Params, task_params: Mapping[str, Params], without: Collection[Cell]
) -> tuple[dict[Cell, Path], set[Cell]]:
    """The cells of the grid, without some, that are done with the current inputs.

    Args:
        task_params: the parameters of each task's cells.

    Returns:
        The folders of these cells; and the cells that are left out because their inputs are stale.
    """
    done = {}
    for cell in all_cells(params):
        with suppress(KeyError):  # the inputs of the cell do not exist yet
            if cell not in without and is_done(folder := cell_folder(task_params[cell.task], cell)):
                done[cell] = folder
    stale = stale_cells(list(done))
    return {cell: folder for cell, folder in done.items() if cell not in stale}, stale
