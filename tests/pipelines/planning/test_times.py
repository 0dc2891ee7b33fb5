"""Times of earlier runs of a stage."""

import json
from pathlib import Path

import pytest

from pipelines.planning.times import AROUND, MACHINE, SECONDS, TIMES, as_last_time, expect, timed
from textbook.plan.cost import Cost

STAGE = "distill@films"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def note_seconds(seconds: float) -> None:
    """Change the time that is noted of the stage."""
    path = TIMES / f"{STAGE}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {SECONDS: seconds}))


def test_a_stage_that_has_not_run_here_has_no_time() -> None:
    assert as_last_time(STAGE, Cost(10)) is None
    expect({STAGE: Cost(10)})
    assert as_last_time(STAGE, Cost(10)) is None


def test_the_time_of_a_stage_counts_in_proportion_to_its_work() -> None:
    expect({STAGE: Cost(10, disk=5)})
    with timed(STAGE):
        pass
    note_seconds(28)
    assert as_last_time(STAGE, Cost(10, disk=5)) == Cost(28 + AROUND, disk=5)
    expect({STAGE: Cost(20)})  # a plan for twice the steps, which do not run
    twice = as_last_time(STAGE, Cost(20))
    assert twice
    assert twice.seconds == 2 * (28 + AROUND)


def test_a_time_without_an_estimate_counts_as_it_is() -> None:
    with timed(STAGE):
        pass
    note_seconds(28)
    cost = as_last_time(STAGE, Cost(20))
    assert cost
    assert cost.seconds == 28 + AROUND


def test_the_rest_of_the_work_of_a_run_that_failed_is_no_time() -> None:
    with pytest.raises(SystemExit), timed(STAGE):
        raise SystemExit(143)
    with timed(STAGE):
        pass
    assert as_last_time(STAGE, Cost(10)) is None
    with timed(STAGE):
        pass
    assert as_last_time(STAGE, Cost(10))


def test_a_damaged_note_is_none_and_is_written_again() -> None:
    with timed(STAGE):
        pass
    (TIMES / f"{STAGE}.json").write_text("[")
    assert as_last_time(STAGE, Cost(10)) is None
    with timed(STAGE):
        pass
    assert as_last_time(STAGE, Cost(10))


def test_a_name_is_no_path() -> None:
    with timed("task@../../films"):
        pass
    assert [path.parent for path in Path().rglob("*.json")] == [TIMES]


def test_a_stage_runs_where_nothing_can_be_noted() -> None:
    TIMES.parent.write_text("a file where the folder should be")
    ran = []
    with timed(STAGE):
        ran.append(STAGE)
    assert ran == [STAGE]
    assert as_last_time(STAGE, Cost(10)) is None


def test_a_time_of_another_machine_does_not_count() -> None:
    with timed(STAGE):
        pass
    path = TIMES / f"{STAGE}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {MACHINE: "another"}))
    assert as_last_time(STAGE, Cost(10)) is None
