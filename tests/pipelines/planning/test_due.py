"""Which stages DVC would run, compared with those that it runs."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.planning.due import read_stages
from textbook.files import remove

# `params` and `folder` have outputs that are always the same, as in the project.
DAG = """
stages:
  params:
    cmd: echo checked > params.ok
    deps: [params.yaml]
    outs: [params.ok]
  folder:
    cmd: echo the same > folder.json
    always_changed: true
    deps: [params.ok]
    outs: [folder.json]
  task:
    foreach: [films, books]
    do:
      cmd: cat rows.txt > task-${item} && echo ${item} >> task-${item}
      deps: [params.ok, folder.json, rows.txt]
      outs: ["task-${item}"]
  teacher:
    cmd: cat task-films > teacher && python -c 'print(3)' >> teacher
    deps: [task-films]
    params: [teacher.epochs]
    outs: [teacher]
  student:
    cmd: cat teacher > student
    deps: [teacher]
    outs: [student]
  metrics:
    cmd: wc -c student > metrics.txt
    deps: [student]
    metrics: [{metrics.txt: {cache: false}}]
"""
PARAMS = "teacher:\n  epochs: 2\nregistry:\n  margin: 1\n"
ALL = {"params", "folder", "task@films", "task@books", "teacher", "student", "metrics"}


def dvc(*arguments: str) -> str:
    return subprocess.run(["dvc", *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose stages have run."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        Path("dvc.yaml").write_text(DAG)
        Path("params.yaml").write_text(PARAMS)
        Path("rows.txt").write_text("1\n")
        dvc("init", "--no-scm", "--quiet")
        assert due() == ALL
        dvc("repro", "--quiet")
    return folder


@pytest.fixture
def project(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the finished project as the working folder."""
    shutil.copytree(finished, tmp_path / "project", symlinks=True)
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "project"


def due(*targets: str) -> set[str]:
    return {stage.name for stage in read_stages(targets) if stage.runs}


def stale() -> set[str]:
    return {stage.name for stage in read_stages() if stage.stale}


def ran(*targets: str) -> set[str]:
    return set(re.findall(r"Running stage '(.+?)'", dvc("repro", *targets)))


@pytest.mark.usefixtures("project")
def test_nothing_is_due_after_a_run_but_what_always_is() -> None:
    assert due() == {"folder"}
    assert stale() == set()
    assert ran() == {"folder"}


@pytest.mark.usefixtures("project")
def test_a_changed_file_makes_due_what_depends_on_it_and_what_follows() -> None:
    Path("rows.txt").write_text("2\n")
    assert due() == {"folder", "task@films", "task@books", "teacher", "student", "metrics"}
    assert due("task@books") == {"folder", "task@books"}
    assert stale() == due() - {"folder"}
    assert ran() == {"folder", "task@films", "task@books", "teacher", "student", "metrics"}


@pytest.mark.usefixtures("project")
def test_a_changed_parameter_makes_due_the_check_and_what_reads_it() -> None:
    Path("params.yaml").write_text(PARAMS.replace("epochs: 2", "epochs: 3"))
    assert due() == {"params", "folder", "teacher", "student", "metrics"}
    assert stale() == {"params", "teacher", "student", "metrics"}


@pytest.mark.usefixtures("project")
def test_outputs_that_are_gone_are_restored_without_a_run_if_the_cache_has_them() -> None:
    for name in ("task-films", "teacher", "student", "params.ok"):
        remove(Path(name))
    assert due() == {"folder"}
    assert ran() == {"folder"}


@pytest.mark.usefixtures("project")
def test_an_output_that_is_another_is_restored_and_nothing_is_stale() -> None:
    remove(Path("teacher"))
    Path("teacher").write_text("of another commit\n")
    assert due() == {"folder"}
    assert stale() == set()
    assert ran() == {"folder"}


@pytest.mark.usefixtures("project")
def test_outputs_that_the_cache_lost_are_due() -> None:
    remove(Path("teacher"))
    shutil.rmtree(".dvc/cache")
    assert due() == ALL
    assert stale() == set()  # they would be made of the same


@pytest.mark.usefixtures("project")
def test_a_changed_command_is_stale_and_what_follows() -> None:
    Path("dvc.yaml").write_text(DAG.replace("print(3)", "print(4)"))
    assert stale() == {"teacher", "student", "metrics"}


@pytest.mark.usefixtures("project")
def test_stages_come_in_an_order_in_which_they_can_run() -> None:
    names = [stage.name for stage in read_stages()]
    assert set(names) == ALL
    assert names.index("params") < names.index("task@films") < names.index("teacher") < names.index("student")


@pytest.mark.usefixtures("project")
def test_sizes_are_those_of_the_last_run_with_the_same_parameters() -> None:
    def sizes() -> dict[str, float]:
        return {path: size for stage in read_stages() for path, size in stage.sizes.items()}

    assert sizes()["teacher"] == Path("teacher").stat().st_size
    Path("params.yaml").write_text(PARAMS.replace("epochs: 2", "epochs: 3"))
    assert "teacher" not in sizes()
    assert "student" in sizes()
