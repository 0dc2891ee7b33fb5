"""A plan as a table and in a few lines."""

from pathlib import Path

import pytest

from pipelines.planning.door import is_announced
from pipelines.planning.plan import Entry, RunPlan
from pipelines.planning.show import NOTHING, announce, short_form, show_plan
from textbook.errors import UserError
from textbook.plan.cost import Cost
from textbook.plan.rates import Rates

CPU = Rates(flops=3e11, update=5e-9, pace=1.0, cores=2, device="cpu fp32", memory=16e9)
GPU = Rates(flops=7e14, update=1e-11, pace=1.0, cores=8, device="cuda bf16", gpus=1, memory=64e9, gpu_memory=80e9)
PARTS = [
    Entry("corpus", Cost(16, disk=15e6, memory=0.6e9)),
    Entry("teacher@films", Cost(200, disk=91e6, scratch=550e6, memory=1.5e9, gpu_seconds=180), measured=True),
    Entry("distill@films", Cost(280, disk=29e6, memory=2.4e9, gpu_seconds=250)),
    Entry("augmented@films", None),
]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    Path("params.yaml").write_text("tasks: {}\n")


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def row(text: str, name: str) -> list[str]:
    """The cells of the line of a table that begins with a name."""
    (line,) = (line for line in text.splitlines() if line.strip().startswith(name))
    return line.split()[len(name.split()) :]


def test_the_table_has_a_line_for_each_part_and_the_totals(capsys: pytest.CaptureFixture[str]) -> None:
    show_plan(RunPlan(PARTS, CPU, free=1e12))
    text = printed(capsys)
    assert row(text, "corpus") == ["16", "s", "15", "MB", "600", "MB", "model"]
    assert row(text, "teacher@films") == ["3", "min", "91", "MB", "1.5", "GB", "last", "time"]
    assert row(text, "augmented@films") == ["?"] * 4
    assert row(text, "total") == ["8", "min", "135", "MB", "2.4", "GB"]
    assert "2 cores, cpu fp32" in text
    assert "Not counted, because a file is not there yet: augmented@films" in text
    assert "warning" not in text


def test_a_narrow_terminal_wraps_names_and_cuts_no_figure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    name = "rotten_tomatoes · general · general · contextualized+augmented"
    show_plan(RunPlan([Entry(name, Cost(520, disk=58e6, memory=3.1e9))], CPU, free=1e12))
    text = printed(capsys)
    assert "…" not in text
    assert "9 min  58 MB  3.1 GB" in text


def test_a_machine_with_a_gpu_has_a_column_of_its_hours(capsys: pytest.CaptureFixture[str]) -> None:
    show_plan(RunPlan(PARTS, GPU, free=1e12))
    text = printed(capsys)
    assert row(text, "teacher@films")[-3:] == ["0.05", "last", "time"]
    assert row(text, "total")[-1] == "0.12"
    assert row(text, "augmented@films") == ["?"] * 5


def test_the_short_form_names_the_longest_and_warns_in_one_line_each() -> None:
    lines = short_form(RunPlan(PARTS, CPU, free=0.1e9))
    assert lines == [
        "To run: 4 parts, about 8 min, 685 MB of disk, 2.4 GB of memory;"
        " longest: distill@films 5 min, teacher@films 3 min, corpus 16 s",
        "Not counted, because a file is not there yet: augmented@films",
        "warning: disk: needs about 685 MB, and 100 MB are free",
    ]


def test_nothing_to_run_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert short_form(RunPlan([], CPU, free=1e12)) == [NOTHING]
    show_plan(RunPlan([], CPU, free=1e12))
    assert printed(capsys).strip() == NOTHING


def test_a_plan_of_which_nothing_is_known_says_so() -> None:
    lines = short_form(RunPlan([Entry(f"task@{name}", None) for name in "abcde"], CPU, free=1e12))
    assert lines[1] == "Not counted, because a file is not there yet: task@a, task@b, task@c and 2 more"


def test_a_plan_that_cannot_be_made_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(error: Exception) -> RunPlan:
        raise error

    assert announce(lambda: fail(UserError("dvc.yaml: is damaged"))), "something may run"
    assert printed(capsys) == "What will run cannot be told: dvc.yaml: is damaged\n"
    announce(lambda: fail(RuntimeError("a bug")))
    assert printed(capsys) == "What will run cannot be told: RuntimeError\n"
    assert not is_announced()


def test_a_plan_that_was_printed_is_remembered_until_the_parameters_change(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert not is_announced()
    assert not announce(lambda: RunPlan([], CPU, free=1e12))
    assert printed(capsys) == f"{NOTHING}\n"
    assert is_announced()
    Path("params.yaml").write_text("tasks: {films: {}}\n")
    assert not is_announced()
