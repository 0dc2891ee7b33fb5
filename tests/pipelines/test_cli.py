"""Errors and arguments of stages and commands."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
ENVIRONMENT["PYTHONDONTWRITEBYTECODE"] = "1"  # with a limit on their size, Python would keep files that are cut off
SAVE = """
import torch
from safetensors.torch import save_file
from pipelines.cli import run

def main(path: str) -> None:
    save_file({"weight": torch.zeros(10_000)}, path)

run(main)
"""

INTERRUPTED = """
import os, signal, time
from pipelines.cli import run

signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it

def main(name: str) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(10)

run(main)
"""


def full_disk():
    """Limit the size of the files that this process writes, as a full disk does."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, resource.RLIM_INFINITY))


def run(*command, **options):
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, env=ENVIRONMENT, **options)


def test_a_full_disk_while_weights_are_saved_is_one_line(tmp_path):
    process = run("-c", SAVE, str(tmp_path / "model.safetensors"), preexec_fn=full_disk)
    assert process.returncode == 1
    assert len(process.stderr.splitlines()) == 1, process.stderr
    assert process.stderr.startswith("error: ")
    assert "free some disk space and run it again" in process.stderr


def refused(folder, *command):
    """Run a command that fails, and return its error, which is one line."""
    process = run("-m", *command, cwd=folder)
    assert process.returncode == 1, process.stdout + process.stderr
    assert process.stdout == ""
    (line,) = process.stderr.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (["pipelines.stages.task"], "name"),
        (["pipelines.commands.pull"], "task"),
        (["pipelines.stages.index", "extra"], "(extra)"),
        (["pipelines.stages.two_stage", "films", "other"], "(other)"),
        (["pipelines.stages.index", "--fast"], "--fast"),
        (["pipelines.stages.task", "films", "--fast"], "--fast"),
        (["pipelines.stages.asset", "weel", "films"], "'weel'"),
        (["pipelines.commands.ui", "70000"], "65535"),
    ],
)
def test_a_wrong_argument_is_one_line_that_names_it_and_the_help(tmp_path, command, named):
    (tmp_path / "params.yaml").write_text("wrong: true\n")  # must not be read
    line = refused(tmp_path, *command)
    assert named in line
    assert line.endswith(f"python -m {command[0]} --help")
    assert "params.yaml" not in line


def test_with_correct_arguments_the_parameters_are_read(tmp_path):
    assert refused(tmp_path, "pipelines.stages.task", "films") == "error: params.yaml: no such file"


def test_the_help_names_the_arguments_but_not_the_parameters(tmp_path):
    process = run("-m", "pipelines.stages.asset", "--help", cwd=tmp_path)
    assert (process.returncode, process.stderr) == (0, "")
    assert "Fetch one asset, given its kind and its name." in process.stdout
    assert all(word in process.stdout for word in ("kind", "wheel", "name"))
    assert "params" not in process.stdout


def test_ctrl_c_exits_with_an_error_of_one_line():
    process = run("-c", INTERRUPTED, "films")
    assert process.returncode != 0
    assert process.stderr == "stopped; run the same command again to go on\n"


def test_a_bug_shows_its_traceback():
    process = run("-c", "from pipelines.cli import run\ndef main() -> None: {}['bug']\nrun(main)")
    assert process.returncode == 1
    assert process.stderr.startswith("Traceback")
    assert process.stderr.endswith("KeyError: 'bug'\n")


ECHO = "from pipelines.cli import run\ndef main(name: str) -> None: print(repr(name))\nrun(main)"


@pytest.mark.parametrize("item", ["films", "a; touch x", "a@b", "it's", "--"])
def test_the_argument_at_is_the_item_of_the_stage_that_dvc_runs(monkeypatch, item):
    monkeypatch.setitem(ENVIRONMENT, "DVC_STAGE", f"task@{item}")
    process = run("-c", ECHO, "--", "@")
    assert (process.stdout, process.stderr) == (f"{item!r}\n", "")


@pytest.mark.parametrize("stage", ["corpus", ""])
def test_without_an_item_the_argument_at_is_refused(tmp_path, monkeypatch, stage):
    monkeypatch.setitem(ENVIRONMENT, "DVC_STAGE", stage)
    assert "@: stands for the item" in refused(tmp_path, "pipelines.stages.task", "@")


WARNING = """
import warnings
from pipelines.cli import run

def main() -> None:
    warnings.warn("encoder: its head is replaced", stacklevel=2)

run(main)
"""


def test_a_warning_is_one_line_without_the_place_in_the_code():
    assert run("-c", WARNING).stderr == "warning: encoder: its head is replaced\n"


@pytest.mark.parametrize(
    ("command", "key"),
    [
        (["pipelines.stages.asset", "wheel"], "assets.wheel"),
        (["pipelines.stages.dataset"], "assets.dataset"),
        (["pipelines.stages.folder"], "assets.dataset"),
        (["pipelines.stages.masked_lm"], "assets.masked_lm"),
        (["pipelines.stages.sentences"], "corpus.sources"),
        (["pipelines.stages.task"], "tasks"),
        (["pipelines.stages.augmented"], "textbooks.augmented"),
    ],
)
def test_an_unknown_name_is_one_line_with_the_known_ones(tmp_path, command, key):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    assert refused(tmp_path, *command, "nonsense").startswith(f"error: {key}: 'nonsense' is not defined; defined are ")
