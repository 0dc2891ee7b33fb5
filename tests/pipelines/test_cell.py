from functools import partial
from pathlib import Path

import pytest

from pipelines.cell import Cell, code_hashes
from pipelines.sweep import choose_cells, params_of_cells
from textbook.errors import UserError
from textbook.params import Params
from textbook.params_file import load_params

ROOT = Path(__file__).parents[2]
CODE = {"pipelines/adapt.py": "c"}
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
    """A folder with code and a lock file; gives what writes the hash of the contextualized textbook."""
    monkeypatch.chdir(tmp_path)
    for name in ("src", "pipelines", "dvc.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)

    def lock(book="b2"):
        (tmp_path / "dvc.lock").write_text(LOCK.replace("BOOK", book))

    lock()
    return lock


def test_the_grid_is_every_combination_once(params):
    cells = choose_cells(params, [])
    assert len(cells) == len(set(cells)) == 2 * 2 * 4
    assert {cell.task for cell in cells} == {"rotten_tomatoes"}


def test_words_choose_a_part_of_the_grid(params):
    cells = choose_cells(params, ["textbook=general,contextualized", "init=random"])
    assert [(cell.teacher, cell.textbook) for cell in cells] == [
        ("task", "general"),
        ("task", "contextualized"),
        ("general", "general"),
        ("general", "contextualized"),
    ]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("textbook=poems", "textbook=poems: must be of the grid in params.yaml: general, augmented"),
        ("texbook=general", "'texbook=general' must be one of task, init, teacher, textbook, seed"),
        ("textbook", "'textbook' must be one of"),
        ("seed=7", "seed=7: must be of the grid in params.yaml: 0"),
    ],
)
def test_a_value_that_the_grid_lacks_is_named(params, word, message):
    with pytest.raises(UserError, match=message):
        choose_cells(params, [word])


def test_without_an_augmented_textbook_the_remedy_is_named(params):
    books = params.textbooks.model_copy(update={"augmented": {}})
    without = params.model_copy(update={"textbooks": books})
    with pytest.raises(UserError, match=r"needs textbooks\.augmented\.rotten_tomatoes"):
        choose_cells(without, [])
    assert choose_cells(without, ["textbook=general"])


def test_how_much_of_the_textbook_is_used_is_an_axis_and_a_part_has_its_own_name(params):
    parts = params.model_copy(update={"sweep": params.sweep.model_copy(update={"top_percents": [20.0, 100.0]})})
    (part,) = choose_cells(parts, ["textbook=contextualized", "init=random", "teacher=task", "top_percent=20"])
    assert str(part) == "rotten_tomatoes · random · task · contextualized · top 20 %"
    assert part.params(params).distill.top_percent == 20
    assert len(choose_cells(parts, [])) == 2 * len(choose_cells(params, []))


def test_a_task_of_the_sweep_may_have_settings_of_its_own_on_top_of_those_of_all(monkeypatch):
    profile = ROOT / "profiles" / "reduced-cpu.yaml"
    grid = load_params(profile)
    monkeypatch.setattr("pipelines.sweep.load_params", partial(load_params, profile))
    changed = grid.sweep.model_copy(update={"set": {"distill.steps": 7, "distill.batch": 3}})
    own = params_of_cells(grid.model_copy(update={"sweep": changed}))
    assert set(own) == set(grid.tasks)
    assert {task: (mine.distill.steps, mine.distill.batch, mine.adapt.epochs) for task, mine in own.items()} == {
        "rotten_tomatoes": (7, 3, 3),
        "sst2": (500, 3, 1),
        "stsb": (500, 3, 3),
        "cola": (250, 3, 3),
        "rte": (125, 3, 3),
    }


def test_equal_inputs_are_equal_and_what_decides_the_result_is_in_them(params, locked):
    before = CELL.inputs(params, CODE)
    assert CELL.inputs(params, CODE) == before
    locked(book="another")
    after = CELL.inputs(params, CODE)
    assert after["artefacts"]["data/textbooks/rotten_tomatoes/contextualized.parquet"] == "another"
    other = Cell("rotten_tomatoes", "random", "task", "general", 0)
    assert "another" not in str(other.inputs(params, CODE))
    longer = params.model_copy(update={"distill": params.distill.model_copy(update={"steps": 7})})
    assert CELL.inputs(longer, CODE) != after
    assert CELL.inputs(params, {**CODE, "pipelines/adapt.py": "another"}) != after


def test_all_code_that_makes_a_student_is_hashed(locked):
    assert {"src/textbook/training/distill.py", "pipelines/adapt.py"} <= set(code_hashes())


def test_its_place_in_the_grid_becomes_its_parameters(params):
    mine = Cell("rotten_tomatoes", "general", "general", "contextualized+augmented", 3).params(params).distill
    assert (mine.init, mine.teacher, mine.textbook, mine.seed) == ("general", "general", "contextualized+augmented", 3)
    assert mine.steps == params.distill.steps
