"""The cells of the grid, and the part that `SWEEP` chooses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.sweep.grid import all_cells, choose_cells
from pipelines.sweep.memory import most_in_memory
from pipelines.sweep.trials import most_together
from textbook.cells.cell import Cell, group_cells
from textbook.errors import UserError
from textbook.models.encoder import load_config
from textbook.models.student import student_parameters
from textbook.params import Asha, Params
from textbook.params_file import load_params

ROOT = Path(__file__).parents[3]


@pytest.fixture
def params() -> Params:
    return load_params(ROOT / "params.yaml")


def test_the_grid_has_every_combination_once(params):
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
        ("textbook=poems", "textbook=poems: must be in the grid of params.yaml: general, augmented"),
        (
            "texbook=general",
            "'texbook=general': must be AXIS=VALUE,…; AXIS is one of task, init, teacher, textbook, seed",
        ),
        ("textbook", "'textbook': must be AXIS=VALUE,…; AXIS is one of"),
        ("seed=7", "seed=7: must be in the grid of params.yaml: 0"),
    ],
)
def test_a_word_that_is_not_in_the_grid_is_refused_with_what_is_allowed(params, word, message):
    with pytest.raises(UserError, match=message):
        choose_cells(params, [word])


def without_augmented(params, *tasks):
    """Parameters in which only some tasks have settings for an augmented textbook, besides a task that has none."""
    books = params.textbooks.model_copy(update={"augmented": dict.fromkeys(tasks)})
    tasks = {**params.tasks, "tickets": params.tasks["rotten_tomatoes"]}
    return params.model_copy(update={"textbooks": books, "tasks": tasks})


def test_textbooks_that_a_task_has_no_settings_for_are_left_out_and_named_in_one_line(params, capsys):
    params = without_augmented(params, "rotten_tomatoes")
    cells = choose_cells(params, [])
    assert capsys.readouterr().out == (
        "left out: the textbooks augmented, contextualized+augmented of tickets (no settings in textbooks.augmented)\n"
    )
    assert cells == all_cells(params)
    assert len([cell for cell in cells if cell.task == "rotten_tomatoes"]) == 2 * 2 * 4
    others = [cell for cell in cells if cell.task == "tickets"]
    assert len(others) == 2 * 2 * 2
    assert {cell.textbook for cell in others} == {"general", "contextualized"}
    assert {cell.task for cell in choose_cells(params, ["textbook=augmented"])} == {"rotten_tomatoes"}
    capsys.readouterr()
    assert choose_cells(params, ["task=rotten_tomatoes"])
    assert not capsys.readouterr().out


@pytest.mark.parametrize("textbooks", ["augmented", "general,augmented"])
def test_a_textbook_that_the_named_task_has_no_settings_for_is_refused_with_a_remedy(params, textbooks):
    with pytest.raises(UserError, match=r"'augmented' needs textbooks\.augmented\.tickets; add it, remove"):
        choose_cells(without_augmented(params, "rotten_tomatoes"), [f"textbook={textbooks}", "task=tickets"])


def test_a_sweep_of_nothing_is_refused(params):
    with pytest.raises(UserError, match=r"needs textbooks\.augmented\.rotten_tomatoes"):
        choose_cells(without_augmented(params), ["textbook=augmented"])


def test_the_part_of_the_textbook_is_an_axis_and_in_the_name_of_the_cell(params):
    parts = params.model_copy(update={"sweep": params.sweep.model_copy(update={"top_percents": [20.0, 100.0]})})
    (part,) = choose_cells(parts, ["textbook=contextualized", "init=random", "teacher=task", "top_percent=20"])
    assert str(part) == "rotten_tomatoes · random · task · contextualized · top 20 %"
    assert part.params(params).distill.top_percent == 20
    assert len(choose_cells(parts, [])) == 2 * len(choose_cells(params, []))


def test_the_parameters_of_a_cell_have_its_place_in_the_grid(params):
    distill = Cell("rotten_tomatoes", "general", "general", "contextualized+augmented", 3).params(params).distill
    place = (distill.init, distill.teacher, distill.textbook, distill.seed)
    assert place == ("general", "general", "contextualized+augmented", 3)
    assert distill.steps == params.distill.steps


def test_every_cell_has_its_own_folder_name_that_states_its_place(params):
    parts = params.model_copy(
        update={"sweep": params.sweep.model_copy(update={"top_percents": [0.5, 100.0], "seeds": [0, 1]})}
    )
    cells = choose_cells(parts, [])
    assert len({cell.slug for cell in cells}) == len(cells) == 2 * 2 * 4 * 2 * 2
    half = Cell("sst2", "random", "task", "contextualized", 1, 0.5)
    assert half.slug == "sst2-random-task-contextualized-0.5-1"


def test_cells_with_the_same_task_teacher_and_textbook_form_cohorts(params):
    grid = params.sweep.model_copy(update={"seeds": [0, 1, 2], "inits": ["random"], "textbooks": ["general"]})
    cells = choose_cells(params.model_copy(update={"sweep": grid}), [])
    assert len(cells) == 6
    for most, sizes in ((8, [3, 3]), (3, [3, 3]), (2, [1, 2, 1, 2]), (1, [1] * 6)):
        groups = group_cells(cells, most)
        assert [len(group) for group in groups] == sizes
        assert [cell for group in groups for cell in group] == sorted(cells, key=lambda cell: cell.teacher != "task")
        assert all(len({cell.cohort for cell in group}) == 1 for group in groups)


def test_cells_with_two_textbooks_are_beside_those_that_they_go_on_from(params):
    grid = {"seeds": [0, 1], "inits": ["random"], "teachers": ["task"]}
    cells = choose_cells(params.model_copy(update={"sweep": params.sweep.model_copy(update=grid)}), [])
    assert len(cells) == 8
    names = [[f"{cell.textbook} {cell.seed}" for cell in group] for group in group_cells(cells, 2)]
    assert names == [
        ["general 0", "general 1"],
        ["augmented 0", "augmented 1"],
        ["contextualized 0", "contextualized+augmented 0"],
        ["contextualized 1", "contextualized+augmented 1"],
    ]


def test_shapes_of_the_student_are_an_axis(params):
    tiny = params.student.model_copy(update={"layers": 1})
    grid = params.sweep.model_copy(update={"students": {"tiny": tiny, "small": params.student}, "inits": ["random"]})
    params = params.model_copy(update={"sweep": grid})
    cells = choose_cells(params, ["student=tiny", "textbook=general", "teacher=task"])
    assert cells == [Cell("rotten_tomatoes", "random", "task", "general", 0, 100.0, "tiny")]
    assert str(cells[0]) == "rotten_tomatoes · random · task · general · tiny"
    assert cells[0].params(params).student == tiny
    assert len(choose_cells(params, [])) == 2 * 2 * 4


def test_a_cohort_is_no_larger_than_memory_and_idle_slots_allow(params, monkeypatch):
    monkeypatch.setattr("pipelines.sweep.trials.most_in_memory", lambda *_: 3)
    cells = choose_cells(params, [])
    tasks = {"rotten_tomatoes": params}
    stopping = params.sweep.model_copy(update={"asha": Asha(grace_steps=10, reduction=2)})
    for settings, count, slots, most in (
        (params.sweep, 16, 2, 3),
        (params.sweep.model_copy(update={"cohort": 2}), 16, 2, 2),
        (params.sweep, 4, 2, 2),
        (params.sweep, 1, 2, 1),
        (stopping, 16, 2, 1),
    ):
        assert most_together(settings, tasks, cells[:count], slots) == most


def test_memory_bounds_the_students_of_a_slot(params, tiny_teacher, monkeypatch):
    monkeypatch.setattr("pipelines.sweep.memory.locate", lambda _: tiny_teacher)
    parameters = student_parameters(params.student, load_config(tiny_teacher))
    monkeypatch.setattr("os.sysconf", lambda name: {"SC_PAGE_SIZE": 4, "SC_PHYS_PAGES": 17 * parameters}[name])
    assert most_in_memory(params, 1) == 2  # half of 68 bytes a parameter, of which a student needs 16
    assert most_in_memory(params, 2) == 1


def test_a_vocabulary_that_the_configuration_leaves_out_is_that_of_its_class(params, tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.sweep.memory.locate", lambda _: tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "roberta", "vocab_size": 50265}')
    named = most_in_memory(params, 1)
    (tmp_path / "config.json").write_text('{"model_type": "roberta"}')
    assert most_in_memory(params, 1) == named


def test_a_sweep_starts_its_workers_without_the_libraries_that_only_they_need():
    program = "import sys, pipelines.sweep.__main__, pipelines.sweep.trials; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert "mlflow" in ended.stdout.split()
    assert not {"torch", "transformers"} & set(ended.stdout.split())
