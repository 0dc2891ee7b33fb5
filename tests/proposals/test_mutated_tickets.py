"""Damaged and odd files give a proposal that can be run, or are refused in one line, over many generated files."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from mutations import change, changes
from ruamel.yaml import YAML
from toy_tables import WRITERS
from toy_tickets import PARAMS, propose, tickets

from textbook.errors import UserError
from textbook.params import Task
from textbook.params_edit import add_entries
from textbook.proposals.trial import try_task

BEFORE = "assets: {path: {}}\ntasks: {}\n"


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A small table in each format."""
    folder = tmp_path_factory.mktemp("originals")
    for suffix, write in WRITERS.items():
        write(folder / f"a.{suffix}", tickets(12))
    return {suffix: (folder / f"a.{suffix}").read_bytes() for suffix in WRITERS}


@pytest.mark.parametrize("suffix", WRITERS)
@settings(
    max_examples=100,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(changes=changes())
def test_a_changed_file_is_understood_or_refused_in_one_line(
    tmp_path: Path, originals: dict[str, bytes], suffix: str, changes: list[tuple[str, float, bytes]]
) -> None:
    content = originals[suffix]
    for kind, place, piece in changes:
        content = change(content, kind, place, piece)
    path = tmp_path / f"mood.{suffix}"
    path.write_bytes(content)
    message = refusal_of_task(path)
    assert "\n" not in message
    assert not message or str(path) in message or "tasks.mood" in message


def refusal_of_task(path: Path) -> str:
    """Why no task can be added for a file; empty if one can."""
    try:
        proposal = propose(path)
        after = YAML(typ="safe", pure=True).load(add_entries(BEFORE, proposal.entries()))
        try_task("mood", Task(**after["tasks"]["mood"]), path, PARAMS.teacher)
    except UserError as error:
        return str(error)
    return ""


def test_the_files_are_understood_before_they_are_changed(tmp_path: Path, originals: dict[str, bytes]) -> None:
    for suffix, content in originals.items():
        (tmp_path / f"mood.{suffix}").write_bytes(content)
        assert refusal_of_task(tmp_path / f"mood.{suffix}") == ""
