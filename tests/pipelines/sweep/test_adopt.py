"""Results of a bundle that are refused, in one line and without taking anything in; the end-to-end test adopts some."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.paths import CELLS
from pipelines.planning.due import Stage
from pipelines.sweep.adopt import main
from pipelines.sweep.plan import cell_folder, params_by_task
from textbook.bundle.origin import write_origin
from textbook.cells.cell import Cell
from textbook.cells.job import CellJob
from textbook.errors import UserError
from textbook.files import write_json
from textbook.params import Params
from textbook.params_file import load_params

ROOT = Path(__file__).parents[3]
CELL = Cell("rotten_tomatoes", "random", "task", "general", 0)
OUTS = {
    "data/tasks/rotten_tomatoes": "t",
    "data/models/rotten_tomatoes/teacher": "m",
    "data/init/random": "i",
    "data/textbooks/rotten_tomatoes/general.parquet": "b",
}


@pytest.fixture
def params(client: object) -> Params:
    """The parameters of a project that has the inputs of a cell."""
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    write_lock(OUTS)
    return load_params()


def write_lock(outs: dict[str, str]) -> None:
    lines = "".join(f"    - {{path: {path}, md5: {md5}}}\n" for path, md5 in outs.items())
    Path("dvc.lock").write_text(f"stages:\n  all:\n    outs:\n{lines}")


def write_result(cell: Cell, key: str) -> Path:
    """Write a finished cell as a bundle does, and return its folder."""
    folder = Path("carried/results") / cell.slug / key
    folder.mkdir(parents=True)
    write_json(folder / "result.json", {"seconds": 1.0})
    inputs: object = None
    write_origin(CellJob(cell, folder, *[inputs] * 5), "bundle", "numba")
    return folder


def present_key(params: Params) -> str:
    return cell_folder(params_by_task(params)["rotten_tomatoes"], CELL).name


def test_results_of_other_inputs_or_another_grid_are_refused(params: Params) -> None:
    write_result(CELL, present_key(params))
    write_lock({**OUTS, "data/init/random": "another"})
    with pytest.raises(UserError, match="general was made from other inputs, parameters or code than those"):
        main(params, Path("carried"))
    write_lock({path: md5 for path, md5 in OUTS.items() if "init" not in path})
    with pytest.raises(UserError, match="its input 'data/init/random' does not exist here; run `dvc repro`"):
        main(params, Path("carried"))
    write_lock(OUTS)
    write_result(replace(CELL, seed=7), "key")
    with pytest.raises(UserError, match=r"is not in the grid of params\.yaml"):
        main(params, Path("carried"))
    assert not list(CELLS.glob("*"))


def test_results_are_refused_whose_inputs_here_are_stale(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock file has the inputs of the bundle, but the parameters have changed since."""
    write_result(CELL, present_key(params))
    stages = [Stage("init_random", False), Stage("general@rotten_tomatoes", True, stale=True)]
    monkeypatch.setattr("pipelines.sweep.plan.read_stages", lambda _targets: stages)
    with pytest.raises(UserError, match="general: its inputs here were made with earlier parameters, data or code"):
        main(params, Path("carried"))
    assert not list(CELLS.glob("*"))


def test_edited_results_are_refused_and_none_is_taken_in(params: Params) -> None:
    write_result(CELL, present_key(params))
    edited = write_result(replace(CELL, init="general"), "key")
    (edited / "result.json").write_text("{}")
    with pytest.raises(UserError, match=r"result\.json: is missing, new or changed since the cell was made"):
        main(params, Path("carried"))
    assert not list(CELLS.glob("*"))


def test_what_has_no_results_is_refused(params: Params, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="RESULTS = nowhere: must be a folder or a tar file"):
        main(params, Path("nowhere"))
    Path("empty").mkdir()
    with pytest.raises(UserError, match="empty: has no finished cells of a bundle"):
        main(params, Path("empty"))
    Path("damaged.tar.gz").write_bytes(b"\x1f\x8b nonsense")
    with pytest.raises(UserError, match=r"damaged\.tar\.gz: is no whole archive"):
        main(params, Path("damaged.tar.gz"))
    assert not Path(".cache/adopt").exists()
