"""The inputs of a cell, and the name of its folder."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.code import hash_code, source_files
from pipelines.planning.due import Stage
from pipelines.sweep.plan import artefacts, cell_folder, done_cells, first_folder, inputs, params_by_task, state_of
from textbook.cells.cell import Cell
from textbook.files import write_json
from textbook.params import Asha, Params
from textbook.params_file import load_params
from textbook.profiles import render_profile

ROOT = Path(__file__).parents[3]
CELL = Cell("rotten_tomatoes", "random", "task", "contextualized", 0)
LOCK = """
stages:
  all:
    outs:
    - {path: data/tasks/rotten_tomatoes, md5: t.dir}
    - {path: data/models/rotten_tomatoes/teacher, md5: m.dir}
    - {path: data/init/random, md5: i.dir}
    - {path: data/init/general, md5: g.dir}
    - {path: data/textbooks/rotten_tomatoes/general.parquet, md5: b1}
    - {path: data/textbooks/rotten_tomatoes/contextualized.parquet, md5: BOOK}
"""


@pytest.fixture
def params() -> Params:
    return load_params(ROOT / "params.yaml")


@pytest.fixture
def locked(tmp_path, monkeypatch):
    """A folder with a lock file, and a function that changes the hash of the contextualized textbook in it."""
    monkeypatch.chdir(tmp_path)

    def lock(book="b2"):
        (tmp_path / "dvc.lock").write_text(LOCK.replace("BOOK", book))

    lock()
    return lock


@pytest.fixture
def code(tmp_path, monkeypatch):
    """A copy of the code from which hashes are computed, and a function that changes one of its files."""
    for name in ("src", "pipelines", "tracking"):
        shutil.copytree(ROOT / name, tmp_path / name)
    monkeypatch.setattr("pipelines.code.PROJECT", tmp_path)

    def clear_caches():
        source_files.cache_clear()
        hash_code.cache_clear()

    def change(path):
        with (tmp_path / path).open("a") as file:
            file.write("# changed\n")
        clear_caches()

    clear_caches()
    yield change
    clear_caches()


def test_a_cell_with_two_textbooks_goes_on_from_the_one_with_the_first(params: Params, locked) -> None:
    second = replace(CELL, textbook="contextualized+augmented")
    assert first_folder(params, second) == cell_folder(params, CELL)
    assert first_folder(params, CELL) is None
    asha = params.sweep.model_copy(update={"asha": Asha(grace_steps=10, reduction=2)})
    assert first_folder(params.model_copy(update={"sweep": asha}), second) is None


def test_settings_of_a_task_override_those_of_the_sweep(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(render_profile("reduced-cpu", ROOT / "profiles"))
    grid = load_params()
    changed = grid.sweep.model_copy(update={"set": {"distill.steps": 7, "distill.batch": 3}})
    task_params = params_by_task(grid.model_copy(update={"sweep": changed}))
    assert set(task_params) == set(grid.tasks)
    assert {
        task: (settings.distill.steps, settings.distill.batch, settings.adapt.epochs)
        for task, settings in task_params.items()
    } == {
        "rotten_tomatoes": (7, 3, 3),
        "sst2": (500, 3, 1),
        "stsb": (500, 3, 3),
        "cola": (250, 3, 3),
        "rte": (125, 3, 3),
    }


def test_inputs_have_the_hashes_and_the_parameters_that_determine_the_result(params, locked):
    before = inputs(params, CELL)
    assert inputs(params, CELL) == before
    locked(book="another")
    after = inputs(params, CELL)
    assert after["artefacts"]["data/textbooks/rotten_tomatoes/contextualized.parquet"] == "another"
    other = Cell("rotten_tomatoes", "random", "task", "general", 0)
    assert "another" not in str(inputs(params, other))
    longer = params.model_copy(update={"distill": params.distill.model_copy(update={"steps": 7})})
    assert inputs(longer, CELL) != after


def test_the_folder_is_named_by_place_inputs_and_code(params, locked, code):
    folder = cell_folder(params, CELL)
    assert folder == cell_folder(params, CELL)
    assert folder.parent == Path("data/cells/rotten_tomatoes-random-task-contextualized-100-0")
    locked(book="another")
    after = cell_folder(params, CELL)
    assert after != folder
    assert after.parent == folder.parent
    code("src/textbook/adaptation/adapt.py")
    assert cell_folder(params, CELL) not in (folder, after)
    changed = cell_folder(params, CELL)
    code("pipelines/commands/report.py")  # doesn't affect students
    assert cell_folder(params, CELL) == changed


def test_all_code_of_a_cell_is_hashed():
    assert {
        Path("src/textbook/cells/finish.py"),
        Path("src/textbook/adaptation/adapt.py"),
        Path("src/textbook/evaluation/relation_loss.py"),
        Path("src/textbook/training/distillation/cohort.py"),
    } <= set(source_files("pipelines.sweep.cohort"))


def test_a_cell_needs_the_teacher_it_is_distilled_from_and_the_one_it_is_compared_with(params):
    general = Cell("rotten_tomatoes", "general", "general", "contextualized+augmented", 0)
    assert artefacts(params, general) == [
        "data/tasks/rotten_tomatoes",
        "data/models/rotten_tomatoes/teacher",
        "data/init/general",
        f"data/assets/{params.teacher.asset}",
        "data/textbooks/rotten_tomatoes/contextualized.parquet",
        "data/textbooks/rotten_tomatoes/augmented.parquet",
    ]
    assert f"data/assets/{params.teacher.asset}" not in artefacts(params, CELL)


def test_cells_of_two_tasks_with_equal_inputs_work_in_different_folders(params, locked):
    """The general teacher and a general textbook may be equal to the byte for both tasks."""
    lock = Path("dvc.lock")
    copies = [line.replace("rotten_tomatoes", "films") for line in LOCK.splitlines() if "rotten_tomatoes" in line]
    asset = f"    - {{path: data/assets/{params.teacher.asset}, md5: a.dir}}"
    lock.write_text(LOCK + "\n".join([*copies, asset, ""]))
    (task,) = params.tasks.values()
    both = params.model_copy(update={"tasks": {"rotten_tomatoes": task, "films": task}})
    cells = [Cell(name, "random", "general", "general", 0) for name in both.tasks]
    paths = [inputs(both, cell)["artefacts"] for cell in cells]
    assert sorted(paths[0].values()) == sorted(paths[1].values())
    first, second = (cell_folder(both, cell) for cell in cells)
    assert first.name != second.name  # by which MLflow and the progress table tell them apart
    assert first.parent != second.parent


ASHA = Asha(grace_steps=10, reduction=2)


@pytest.mark.parametrize(
    ("mark", "asha", "state"),
    [
        (ASHA, ASHA, "stopped"),
        (ASHA, Asha(grace_steps=20, reduction=2), "failed"),
        (ASHA, None, "failed"),
        (None, ASHA, "failed"),
        (None, None, "failed"),
    ],
)
def test_a_stopped_cell_counts_only_under_the_same_settings_of_asha(tmp_path, mark, asha, state):
    write_json(tmp_path / "stopped.json", {"step": 10, "loss": 1.0, "asha": mark and mark.model_dump()})
    assert state_of(tmp_path, asha) == state
    write_json(tmp_path / "result.json", {})
    assert state_of(tmp_path, asha) == "done"


def test_a_mark_without_settings_does_not_stop_a_cell(tmp_path):
    write_json(tmp_path / "stopped.json", {"step": 10, "loss": 1.0})
    assert [state_of(tmp_path, asha) for asha in (ASHA, None)] == ["failed", "failed"]


def test_a_done_cell_with_a_stale_textbook_is_left_out(params: Params, locked, monkeypatch) -> None:
    """The lock file still has the hashes of the old textbook, so its folder is found."""
    general = replace(CELL, textbook="general")
    folders = {cell: cell_folder(params, cell) for cell in (CELL, general)}
    for folder in folders.values():
        write_json(folder / "result.json", {})
    stale = ["contextualized@rotten_tomatoes"]
    monkeypatch.setattr(
        "pipelines.sweep.plan.read_stages", lambda targets: [Stage(name, True, name in stale) for name in targets]
    )
    tasks = {"rotten_tomatoes": params}
    assert done_cells(params, tasks, []) == ({general: folders[general]}, {CELL})
    assert done_cells(params, tasks, [CELL]) == ({general: folders[general]}, set())
    assert done_cells(params, tasks, [CELL, general]) == ({}, set())
    stale.clear()
    assert done_cells(params, tasks, []) == (folders, set())
