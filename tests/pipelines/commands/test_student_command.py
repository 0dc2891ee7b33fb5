"""`make student`."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

import pipelines.fitting as fitting
from pipelines.commands.student import main
from textbook.assets.fetch import fetch
from textbook.errors import UserError
from textbook.params import PathAsset, Student
from textbook.params_file import load_params

PARAMS = load_params(Path(__file__).parents[3] / "params.yaml", {"distill.relation_heads": 32})


@pytest.fixture(autouse=True)
def teacher(tiny_teacher, tmp_path, monkeypatch):
    """The tiny teacher as the asset of the parameters."""
    fetch(PathAsset(path=str(tiny_teacher)), tmp_path / PARAMS.teacher.asset)
    monkeypatch.setattr(fitting, "ASSETS", tmp_path)


@pytest.mark.parametrize("budget", ["0.1M", "10000ms"])
def test_the_printed_block_is_valid_in_params_yaml(budget, capsys):
    main(PARAMS, budget)
    table, block = capsys.readouterr().out.split("In params.yaml:")
    printed = Student(**YAML(typ="safe").load(block)["student"])
    assert (printed.hidden, printed.heads, printed.intermediate) == (32, 1, 128)
    assert printed.layers == (7 if budget == "0.1M" else 12)
    assert f"{printed.layers}" in table


@pytest.mark.parametrize("budget", ["", "10", "5s", "-1M"])
def test_a_budget_without_a_unit_is_refused(budget):
    with pytest.raises(UserError, match=r"BUDGET = .*: must be parameters such as 10M, or milliseconds such as 5ms"):
        main(PARAMS, budget)
