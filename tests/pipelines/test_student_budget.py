from pathlib import Path

import pytest
from ruamel.yaml import YAML

import pipelines.student as module
from textbook.assets import fetch
from textbook.errors import UserError
from textbook.params import PathAsset, Student
from textbook.params_file import load_params

PARAMS = load_params(Path(__file__).parents[2] / "params.yaml", {"distill.relation_heads": 32})


@pytest.fixture(autouse=True)
def teacher(tiny_teacher, tmp_path, monkeypatch):
    """The tiny teacher as the asset of the parameters."""
    fetch(PathAsset(path=str(tiny_teacher)), tmp_path / PARAMS.teacher.asset)
    monkeypatch.setattr(module, "ASSETS", tmp_path)


@pytest.mark.parametrize("budget", ["0.1M", "10000ms"])
def test_the_block_it_prints_is_one_for_the_parameters(budget, capsys):
    module.student(PARAMS, budget)
    table, block = capsys.readouterr().out.split("In params.yaml:")
    found = Student(**YAML(typ="safe").load(block)["student"])
    assert (found.hidden, found.heads, found.intermediate) == (32, 1, 128)
    assert found.layers == (7 if budget == "0.1M" else 12)
    assert f"{found.layers}" in table


@pytest.mark.parametrize("budget", ["", "10", "5s", "-1M"])
def test_a_budget_without_a_unit_is_refused(budget):
    with pytest.raises(UserError, match=r"BUDGET = .*: must be parameters such as 10M, or milliseconds such as 5ms"):
        module.student(PARAMS, budget)
