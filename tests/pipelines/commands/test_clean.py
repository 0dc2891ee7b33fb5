"""`make clean` removes nothing that cannot come back."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.commands.clean import main as clean
from textbook.errors import UserError

DAG = """
stages:
  models:
    cmd: mkdir -p data/models/films && echo 1 > data/models/films/a && echo 2 > data/models/films/b
    outs: [data/models/films]
  tasks:
    cmd: echo 3 > data/tasks
    outs: [data/tasks]
  metrics:
    cmd: echo 4 > reports/metrics.json && echo 5 > reports/table1.csv
    outs: [reports/table1.csv]
    metrics: [{reports/metrics.json: {cache: false}}]
"""
TABLES = [f"reports/{name}.csv" for name in ("sweep", "figure2", "claims", "sizes")]
SWEEP = ["data/cells/place/key/result.json", *TABLES, ".cache/work/distill/x"]
MINE = ["data/reviews.csv", "data/models/films/notes.txt", "data/models/mine/weights", "reports/notes.md"]
IN_GIT = ["data/README.md", "reports/metrics.json"]
OUTPUTS = ["data/models/films/a", "data/models/films/b", "data/tasks", "reports/table1.csv"]


def dvc(*arguments: str) -> None:
    subprocess.run(["dvc", *arguments, "--quiet"], check=True)


def files() -> list[str]:
    return sorted(str(path) for top in ("data", "reports", ".cache") for path in Path(top).rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose stages have run."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        Path("dvc.yaml").write_text(DAG)
        for name in ("data", "reports"):
            Path(name).mkdir()
        dvc("init", "--no-scm")
        dvc("repro")
    return folder


@pytest.fixture
def project(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same project before each test, with files of a sweep and of the user."""
    monkeypatch.chdir(finished)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for name in [*SWEEP, *MINE, "data/README.md", "reports/report.html", "reports/table2.csv"]:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("mine")
    dvc("checkout", "--force")
    for name in [*MINE, *OUTPUTS]:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
    (Path("data/models/films/notes.txt")).write_text("mine")


def test_outputs_and_the_report_are_removed_and_everything_else_is_kept_and_named(project: None, capsys) -> None:
    assert set(OUTPUTS) < set(files())
    clean()
    assert files() == sorted([*SWEEP, *MINE, *IN_GIT])
    removed, of_sweeps, of_mine = capsys.readouterr().out.splitlines()
    assert removed == "removed 4 files that `dvc checkout` restores, and the report"
    assert of_sweeps.startswith(f"kept data/cells, {', '.join(TABLES)}, .cache, ")
    assert of_sweeps.endswith("`make clean CELLS=1` removes them")
    assert all(name in of_mine for name in MINE)
    Path("data/models/films/notes.txt").unlink()
    dvc("checkout")
    assert set(OUTPUTS) < set(files()), "DVC did not restore what was removed"


def test_cells_go_only_if_asked_for(project: None, capsys) -> None:
    clean(cells=True)
    assert files() == sorted([*MINE, *IN_GIT])
    assert "the cells and tables of sweeps, and unfinished work" in capsys.readouterr().out


def test_an_output_that_was_edited_or_is_not_in_the_cache_is_kept(project: None) -> None:
    Path("data/tasks").unlink()  # not the file of the cache, to which it may be linked
    Path("data/tasks").write_text("edited")
    (cached,) = (path for path in Path(".dvc/cache").rglob("*") if path.is_file() and path.read_bytes() == b"2\n")
    content = cached.read_bytes()
    cached.unlink()
    clean(cells=True)
    assert files() == sorted([*MINE, *IN_GIT, "data/models/films/b", "data/tasks"])
    cached.write_bytes(content)


def test_without_dvc_nothing_is_removed(project: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "report.html").touch()
    with pytest.raises(UserError, match="`dvc data status` failed, so nothing was removed"):
        clean(cells=True)
    assert files() == ["reports/report.html"]
