"""`make sweep`: Ray Tune over init × teacher × textbook × task × seed, on this machine or on a cluster.

DVC brings up to date what the cells share; Tune runs those that are not done yet; MLflow gets a run for each. A sweep
that was killed goes on when it is started again.
"""

import os
import shutil
import subprocess
import traceback
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from pipelines.cell import SNAPSHOTS, Cell, cell_folder, code_hashes, run_cell
from pipelines.cell_record import begun_record, finished_record
from pipelines.progress import DONE, FAILED, STOPPED, Progress
from pipelines.stage import CACHE, REPORTS, run, told_in_a_line
from pipelines.watch import STOPPED_FILE, Watch
from textbook.errors import UserError
from textbook.files import digest, read_json, write_csv
from textbook.parallel import start_ray
from textbook.params import Params
from textbook.params_file import load_params
from textbook.training.log import read_history
from tracking.live import live
from tracking.runs import record_cell
from tracking.server import serving
from tracking.store import URI, connect
from tracking.sweeps import Sweep, end_sweep, start_sweep

NEVER = 10**9  # a step that no cell comes to


def sweep(params: Params, *words: str) -> None:
    """Fill `reports/sweep.csv`, a row for each cell of the grid, or of the part that `words` choose.

    What is done already of the rest of the grid has its row too, so the table grows part by part.
    """
    cells = choose_cells(params, words)
    own = params_of_cells(params)
    client = connect()  # refuses at once if the server is away
    make_artefacts(params, cells)
    code = code_hashes()
    folders = {cell: cell_folder(cell.inputs(own[cell.task], code)) for cell in cells}
    names = [folder.name for folder in folders.values()]
    title = f"sweep of {len(cells)} cells: {' '.join(words) or 'the whole grid'}"
    recorded = start_sweep(client, params.tracking.experiment, title, digest(*names), {})
    todo = {c: f for c, f in folders.items() if not (_is_done(f) or (f / STOPPED_FILE).is_file())}
    print(f"{len(cells)} cells, {len(cells) - len(todo)} of them done before", flush=True)
    if todo:
        with serving() as uri:
            _run_all(params, own, todo, recorded, uri)
    folders = _with_done(params, own, folders, code)
    rows = [_row(own[cell.task], cell, folder, client, recorded) for cell, folder in folders.items()]
    columns = dict.fromkeys(name for row in sorted(rows, key=len, reverse=True) for name in row)
    snapshots = [line for row, folder in zip(rows, folders.values(), strict=True) for line in _snapshots(row, folder)]
    if snapshots:
        write_csv(REPORTS / "figure2.csv", snapshots)
    table = REPORTS / "sweep.csv"
    write_csv(table, [{name: row.get(name) for name in columns} for row in rows])
    states = [row["state"] for row in rows]
    print(f"{table}: " + ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states)))
    end_sweep(client, recorded, table, complete=FAILED not in states)
    if FAILED in states:
        raise UserError(f"{states.count(FAILED)} cells failed; `make sweep` tries them again")


def params_of_cells(params: Params) -> dict[str, Params]:
    """The parameters of each task's cells: those of the file, with the sweep's changes.

    Raises:
        UserError: a change is of no parameter, or to a value that is not allowed.
    """
    settings = params.sweep
    return {task: load_params(changes=settings.set | settings.tasks.get(task, {})) for task in params.tasks}


def _with_done(
    params: Params, own: Mapping[str, Params], folders: Mapping[Cell, Path], code: Mapping[str, str]
) -> dict[Cell, Path]:
    """These cells, and those of the rest of the grid that are done with today's inputs, in the order of the grid."""
    found = {}
    for cell in _grid(params, {}):
        with suppress(KeyError):  # DVC has not made all that it needs
            folder = folders.get(cell) or cell_folder(cell.inputs(own[cell.task], code))
            if cell in folders or _is_done(folder):
                found[cell] = folder
    return found


def _row(params: Params, cell: Cell, folder: Path, client: MlflowClient, recorded: Sweep) -> dict[str, Any]:
    """What the table says of a cell; if it is done, MLflow has its run."""
    if _is_done(folder):
        record = finished_record(params, cell, folder)
        run_id = record_cell(client, recorded.experiment, record, parent=recorded.run_id)
        figures = {name: value for name, value in read_json(folder / "result.json").items() if name != "scores"}
        return {**figures, "state": DONE, "run_id": run_id, "experiment_id": recorded.experiment}
    return {**asdict(cell), "state": STOPPED if (folder / STOPPED_FILE).is_file() else FAILED}


def _snapshots(row: Mapping[str, Any], folder: Path) -> list[dict[str, Any]]:
    """What the table of snapshots says of a cell."""
    if row["state"] != DONE or not (folder / SNAPSHOTS).is_file():
        return []
    place = ("task", "init", "teacher", "textbook", "top_percent", "seed", "steps", "metric", "seeds", "run_id")
    found = read_history(folder / SNAPSHOTS)
    return [{**{n: row[n] for n in place}, **{n: v for n, v in line.items() if n != "time"}} for line in found]


def choose_cells(params: Params, words: Sequence[str]) -> list[Cell]:
    """The cells of the grid, or of a part: `task=sst2 textbook=contextualized,augmented`.

    Raises:
        UserError: a word is no axis with values of the grid, or a task lacks the augmented textbook.
    """
    axes = _axes(params)
    chosen: dict[str, list[Any]] = {}
    for word in words:
        name, _, values = word.partition("=")
        if name not in axes or not values:
            raise UserError(f"SWEEP: {word!r} must be one of {', '.join(axes)}, then = and values with commas between")
        known = {f"{value:g}" if isinstance(value, float) else str(value): value for value in axes[name]}
        for value in values.split(","):
            if value not in known:
                raise UserError(f"SWEEP: {name}={value}: must be of the grid in params.yaml: {', '.join(known)}")
        chosen[name] = [known[value] for value in dict.fromkeys(values.split(","))]
    cells = _grid(params, chosen)
    for cell in cells:
        if "augmented" in cell.textbook and cell.task not in params.textbooks.augmented:
            raise UserError(
                f"sweep.textbooks: 'augmented' needs textbooks.augmented.{cell.task}; leave it out here or by"
                " SWEEP='textbook=general,contextualized'"
            )
    return cells


def _axes(params: Params) -> dict[str, list[Any]]:
    """The axes of the grid, in the order of a cell's fields."""
    grid = params.sweep
    return {
        "task": list(params.tasks),
        "init": grid.inits,
        "teacher": grid.teachers,
        "textbook": grid.textbooks,
        "seed": grid.seeds,
        "top_percent": grid.top_percents,
    }


def _grid(params: Params, chosen: dict[str, list[Any]]) -> list[Cell]:
    return [Cell(*place) for place in product(*(_axes(params) | chosen).values())]


def make_artefacts(params: Params, cells: Sequence[Cell]) -> None:
    """Bring up to date, through DVC, what the cells need: each made once and shared.

    Raises:
        UserError: a stage failed; it has said why.
    """
    targets = {f"init_{cell.init}" for cell in cells}
    for cell in cells:
        targets |= {f"teacher@{cell.task}", *(f"{kind}@{cell.task}" for kind in cell.textbook.split("+"))}
    if subprocess.run(["dvc", "repro", *sorted(targets)]).returncode:
        raise UserError("sweep: what the cells need could not be made; see above")


def _is_done(folder: Path) -> bool:
    return (folder / "result.json").is_file()


def _run_all(params: Params, own: Mapping[str, Params], todo: Mapping[Cell, Path], recorded: Sweep, uri: str) -> None:
    """Run cells side by side, and show them in a table here and on the MLflow server while they go on."""
    os.environ.update(TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1", RAY_CHDIR_TO_TRIAL_DIR="0", RAY_AIR_NEW_OUTPUT="0")
    os.environ["TUNE_DISABLE_STRICT_METRIC_CHECKING"] = "1"  # what a cell reports last is no loss
    start_ray()
    import ray
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler

    settings = params.sweep
    have: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    for name, each in (("CPU", settings.cpus), ("GPU", settings.gpus)):
        if each > have.get(name, 0):
            raise UserError(f"sweep.{name.lower()}s = {each:g}: must not exceed the {have.get(name, 0):g} that Ray has")
    slots = int(min(have[name] // each for name, each in (("CPU", settings.cpus), ("GPU", settings.gpus)) if each))
    with Progress({folder.name: str(cell) for cell, folder in todo.items()}, slots) as progress:
        scheduler = None
        if settings.asha:
            scheduler = ASHAScheduler(
                time_attr="step",
                metric="loss",
                mode="min",
                max_t=NEVER,  # else it would end every cell behind its last step, before it is adapted
                grace_period=settings.asha.grace_steps,
                reduction_factor=settings.asha.reduction,
            )
        work = partial(_trial, own=own, project=str(Path.cwd()), recorded=recorded, uri=uri)
        tuner = tune.Tuner(
            tune.with_resources(work, {"cpu": settings.cpus, "gpu": settings.gpus}),
            param_space={"cell": tune.grid_search([{**asdict(cell), "folder": str(f)} for cell, f in todo.items()])},
            tune_config=tune.TuneConfig(scheduler=scheduler, reuse_actors=True),
            run_config=tune.RunConfig(
                name="sweep",
                storage_path=str((CACHE / "tune").absolute()),
                failure_config=tune.FailureConfig(max_failures=settings.retries),
                callbacks=[Watch(progress)],
                verbose=0,
            ),
        )
        tuner.fit()
    shutil.rmtree(CACHE / "tune", ignore_errors=True)


def _trial(config: Mapping[str, Any], *, own: Mapping[str, Params], project: str, recorded: Sweep, uri: str) -> None:
    """What a worker does: make one cell, and report as it goes.

    An exception of ours is reported, not raised: Tune starts a trial again whose worker was lost, and this one would
    only fail again.
    """
    import torch
    from ray import tune

    os.chdir(project)
    os.environ[URI] = uri
    place = dict(config["cell"])
    folder = Path(place.pop("folder"))
    cell = Cell(**place)
    params = own[cell.task]
    torch.set_num_threads(max(1, int(params.sweep.cpus)))

    def show(history: Path) -> AbstractContextManager[None]:
        return live(recorded.experiment, begun_record(params, cell, folder.name, history), recorded.run_id)

    def log(step: int, figures: Mapping[str, float]) -> None:
        tune.report({"step": step, "loss": figures["loss"]})

    try:
        tune.report({"result": run_cell(params, cell, folder, log, show)})
    except Exception as error:
        tune.report({"failure": told_in_a_line(error) or traceback.format_exc()})


if __name__ == "__main__":
    run(sweep)
