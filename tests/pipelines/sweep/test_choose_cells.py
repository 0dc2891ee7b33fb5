"""The cells of the grid, and the part that `SWEEP` chooses."""

from pathlib import Path

import pytest

from pipelines.sweep.grid import Cell, choose_cells
from textbook.errors import UserError
from textbook.params import Params
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


def test_a_task_without_an_augmented_textbook_is_refused_with_a_remedy(params):
    books = params.textbooks.model_copy(update={"augmented": {}})
    without = params.model_copy(update={"textbooks": books})
    with pytest.raises(UserError, match=r"needs textbooks\.augmented\.rotten_tomatoes"):
        choose_cells(without, [])
    assert choose_cells(without, ["textbook=general"])


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
