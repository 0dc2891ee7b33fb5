"""The targets of the Makefile, with wrong arguments."""

import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from toy_wheels import make_wheel, only_source

from textbook.files import sha256

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13")
WRONG = {
    "setup": [["VENV=new", "PYTHON=nonsense"]],
    "params": [["PROFILE=nonsense"], []],
    "quickstart": [["TASK=nonsense"], ["TASK=a; touch ran"]],
    "new-task": [["FILE=nonsense"], ["FILE=it's $(touch ran).csv", "NAME='; touch ran; '"], []],
    "plan": [["SWEEP=nonsense"], ["SWEEP=task=it's $(touch ran)"], []],
    "sweep": [["SWEEP=nonsense"], ["SWEEP=task=it's $(touch ran)"]],
    "bundle": [["SWEEP=nonsense"], ["SPLIT=60X"], ["SPLIT=1'; touch ran; '"]],
    "adopt": [["RESULTS=nonsense"], ["RESULTS=it's; touch ran"], []],
    "student": [["BUDGET=5s"], []],
    "ui": [["PORT=abc"], ["PORT=1'; touch ran; '"]],
    "pull": [
        ["TASK=nonsense"],
        ["TASK=it's", "ALIAS=a; touch ran"],
        ["TASK=nonsense", "MAX_MS=3", "MAX_MB=1"],
        ["TASK=nonsense", "MAX_MB='; touch ran; '"],
        ["TASK=nonsense", "MAX_MS=0"],
        [],
    ],
    "rollback": [["TASK=nonsense", "VERSION=first"], []],
}
WITHOUT_ARGUMENTS = {
    "help",
    "test",
    "test-all",
    "check",
    "report",
    "docs",
    "docs-serve",
    "lock",
    "clean",
} | {
    "bench",
    "bench-retrieval",
    "bench-distill",
    "bench-zero",
}


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in a copy of the project that uses the virtual environment of this process."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    venv = [] if any(word.startswith("VENV=") for word in arguments) else [f"VENV={sys.prefix}"]
    ready = [f"--old-file={sys.prefix}/.ready"]
    return subprocess.run(
        ["make", "--no-print-directory", *ready, *venv, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    for name in ("Makefile", "params.yaml", "requirements.lock", "torch.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "profiles", folder / "profiles")
    return folder


def test_every_target_of_the_help_is_listed_here(project: Path) -> None:
    targets = re.findall(r"^  make (\S+) +\S", make(project, "help").stdout, re.MULTILINE)
    assert set(targets) == {*WRONG, *WITHOUT_ARGUMENTS}
    assert len(targets) > 15


@pytest.mark.parametrize(
    ("target", "arguments"), [(target, arguments) for target, wrong in WRONG.items() for arguments in wrong]
)
def test_wrong_arguments_are_one_line(project: Path, target: str, arguments: list[str]) -> None:
    process = make(project, target, *arguments)
    assert process.returncode != 0
    lines = [line for line in process.stderr.splitlines() if not re.match(r"make(\[\d+\])?: \*\*\*", line)]
    assert len(lines) == 1, process.stderr
    assert lines[0].startswith("error: ")
    assert not (project / "ran").exists()


def test_new_task_reads_its_options_as_they_are_and_none_of_the_environment(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"the page of order {number} did not open,{'no' if number % 2 else 'yes'}" for number in range(30)]
    (project / "it's mine; touch ran.csv").write_text("\n".join(['the text,is it "new"?', *rows]))
    monkeypatch.setenv("NAME", "host name")
    file, label = "FILE=it's mine; touch ran.csv", 'LABEL=is it "new"?'
    process = make(project, "new-task", file, label, "TEXT=the text", "YES=0")
    assert process.returncode == 0, process.stderr
    assert '    it_s_mine_touch_ran: {path: "it\'s mine; touch ran.csv"}\n' in process.stdout
    assert "Nothing was written" in process.stdout
    assert (project / "params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()
    assert not (project / "ran").exists()


def test_the_documentation_is_served_on_this_machine_only(project: Path) -> None:
    assert "--dev-addr 127.0.0.1:8000" in make(project, "--dry-run", "docs-serve").stdout


def test_pytorch_and_what_builds_the_package_are_installed_by_hash(project: Path) -> None:
    steps = make(project, "--dry-run", "setup", "VENV=new").stdout
    assert steps.count("--require-hashes -r torch.lock") == 2  # from a local wheel, or from the index
    assert "--require-hashes -r requirements.lock" in steps
    assert "--no-build-isolation" in steps
    (version,) = re.findall(r'"(torch==\S+)"', (ROOT / "pyproject.toml").read_text())
    lock = (ROOT / "torch.lock").read_text()
    line = r'^(\S+) ; python_version == "(\S+)"((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$'
    builds = re.findall(line, lock, re.MULTILINE)
    assert [(name, python) for name, python, _ in builds] == [(version, python) for python in PYTHONS]
    hashes = [digest for _, _, digests in builds for digest in digests.split(" \\\n")[1:]]
    assert len(set(hashes)) == len(hashes) == 5 * len(PYTHONS)
    assert re.search(r"^setuptools==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    own = make(project, "--dry-run", "setup", "VENV=new", "TORCH_INDEX=https://example.org/cu126").stdout
    assert f"--no-deps --extra-index-url https://example.org/cu126 {version}" in own
    assert "torch.lock" not in own


def test_every_python_of_the_project_can_install_the_locked_packages() -> None:
    """The first of each, because distributions keep old ones: Debian 12 has Python 3.11.2."""
    firsts = [f"{python}.0" for python in PYTHONS]
    (own,) = re.findall(r'^requires-python = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert [version for version in (f"3.{minor}.0" for minor in range(20)) if version in SpecifierSet(own)] == firsts
    names = re.findall(r"^(\S+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert len(names) > 200
    refused = {}
    for name in names:
        with suppress(PackageNotFoundError):  # for another platform
            (needed,) = metadata(name).get_all("Requires-Python") or [""]
            if not all(version in SpecifierSet(needed) for version in firsts):
                refused[name] = needed
    assert not refused


@pytest.mark.parametrize("suits", ["python3.11", "python3.13", "python3", None])
def test_the_set_up_takes_the_first_python_that_suits(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suits: str | None
) -> None:
    for name in (*(f"python{python}" for python in PYTHONS), "python3"):
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {int(name != suits)}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    process = make(project, "--dry-run", "setup", "VENV=new")
    if suits:
        assert f"\n{suits} -m venv new\n" in process.stdout
        assert make(project, "--dry-run", "setup", "VENV=new", "PYTHON=python3.12").stdout.count("python3.12 -m") == 1
    else:
        process = make(project, "setup", "VENV=new")
        assert process.stderr.startswith("error: python3 is not Python 3.11, 3.12 or 3.13; name one: make setup ")


@pytest.mark.slow
def test_the_set_up_says_how_far_it_is_and_what_failed(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, wheels = tmp_path / "project", tmp_path / "wheels"
    shutil.copytree(project, folder)
    wheels.mkdir()
    only_source(monkeypatch, wheels)
    hashes = {name: sha256(make_wheel(wheels, name, {})) for name in (f"package{number}" for number in range(90))}
    hashes["package85"] = "0" * 64
    torch = sha256(make_wheel(wheels, "torch", {}, version="2.13.0"))
    (folder / "torch.lock").write_text(f"torch==2.13.0 --hash=sha256:{torch}")
    lock = "\n".join(f"{name}==1.0 --hash=sha256:{digest}" for name, digest in hashes.items())
    (folder / "requirements.lock").write_text(lock)
    process = make(folder, "setup", "VENV=new")
    assert process.returncode != 0
    assert process.stdout.splitlines()[1:] == ["  40 packages downloaded", "  80 packages downloaded"]
    assert process.stderr.startswith("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES")
    assert "package85" in process.stderr
    assert not (folder / "new" / ".ready").exists()
