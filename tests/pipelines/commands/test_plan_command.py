"""`make plan` in a project at toy size in which nothing has run."""

import os
import re
from pathlib import Path

import pytest
from toy_project import Project, make_project


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, tiny_teacher: Path) -> Project:
    project = make_project(tmp_path_factory.mktemp("project"), tiny_teacher)
    plan(project, "pipelines.commands.plan", "params")  # the first plan also measures the machine, and says so
    return project


def plan(project: Project, *words: str) -> str:
    """Run a command that prints a plan on a wide terminal."""
    project.environment["COLUMNS"] = "160"
    process = project.run("python", "-m", *words)
    assert process.returncode == 0, process.stderr
    return process.stdout


def rows(text: str) -> dict[str, str]:
    """The lines of the table by their names: the first words, up to a time or a question mark."""
    lines = (re.match(r" (.+?)  +(?=[\d,.]+ (?:s|min|h) |\?)(.*)", line) for line in text.splitlines())
    return {match[1].strip(): match[2] for match in lines if match}


def test_every_stage_is_planned_with_what_it_takes(fresh: Project) -> None:
    lines = rows(plan(fresh, "pipelines.commands.plan"))
    stages = lines.keys() - {"total"}
    assert {"params", "sentences@forum", "teacher@films", "augmented@films", "register@films", "analysis"} <= stages
    assert len(stages) == 28
    assert [name for name, figures in lines.items() if "?" in figures] == []  # everything is in the project
    assert all(figures.rstrip().endswith("model") for name, figures in lines.items() if name != "total")


def test_the_short_form_is_of_the_chosen_stages(fresh: Project) -> None:
    first, *more = plan(fresh, "pipelines.commands.plan", "--short", "task@films", "index").splitlines()
    assert re.match(r"To run: 6 parts, about \d+ (s|min), \d+ MB of disk, .+; longest: ", first)
    assert "teacher" not in first
    assert more == []


def test_a_sweep_is_planned_with_the_stages_that_make_its_inputs(fresh: Project) -> None:
    lines = rows(plan(fresh, "pipelines.sweep.estimate", "textbook=general", "teacher=task"))
    assert {"init_random", "init_general", "teacher@films", "general@films"} <= lines.keys()
    assert "augmented@films" not in lines
    assert len([name for name in lines if name.startswith("films")]) == 2


def test_a_cell_that_goes_on_from_another_is_planned_without_its_first_textbook(fresh: Project) -> None:
    cores = len(os.sched_getaffinity(0))  # so that cells share a cohort
    fresh.change(sweep__set={"distill.steps": 100_000}, sweep__cpus=cores)
    words = ("textbook=contextualized,contextualized+augmented", "init=random", "teacher=task")
    lines = rows(plan(fresh, "pipelines.sweep.estimate", *words))
    assert lines["films · random · task · contextualized"].split()[1] in ("min", "h")
    assert lines["films · random · task · contextualized+augmented"].split()[1] == "s"


def test_a_plan_never_stops_a_run(fresh: Project, tmp_path: Path) -> None:
    broken = Project(tmp_path)
    (tmp_path / "params.yaml").write_bytes((fresh.folder / "params.yaml").read_bytes())
    broken.environment["PYTHONPATH"] = f"{fresh.folder / 'src'}:{fresh.folder}"
    assert plan(broken, "pipelines.commands.plan", "--short").startswith("What will run cannot be told: ")
