"""Preparing a proposed task on trial."""

from pathlib import Path

import pytest
from toy_tickets import PARAMS, labelled, propose, write_lines

from textbook.errors import UserError
from textbook.params import Task
from textbook.proposals.trial import Trial, try_task


def trial(path: Path) -> Trial:
    proposal = propose(path, name="mood")
    return try_task(proposal.name, Task(**proposal.task), proposal.source, PARAMS.teacher)


def test_the_rows_of_each_split_are_counted(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "mood.csv", *labelled(*["good", "bad"] * 1000))
    assert trial(path) == Trial({"train": 1800, "validation": 200}, [])


def test_what_the_preparation_finds_is_mentioned(tmp_path: Path) -> None:
    lines = labelled(*["good", "bad", "odd"] * 10)
    write_lines(tmp_path / "train.csv", *lines)
    write_lines(tmp_path / "validation.csv", lines[0], "a page,good", "another page,bad", lines[1])
    assert trial(tmp_path) == Trial(
        {"train": 29, "validation": 3},
        [
            "validation has no rows of class odd, so no score tells how well it is recognised",
            "1 row is left out of train: the same text is in validation",
            "only 3 rows for validation: an accuracy of 80 % is uncertain by ± 23 points",
            "the teacher would learn the task in only 2 steps; 100 epochs take 100: set `teacher.epochs`, or for this"
            " task alone `teacher.tasks`",
        ],
    )


def test_a_split_with_a_single_class_is_refused(tmp_path: Path) -> None:
    lines = labelled(*["good", "bad"] * 10)
    write_lines(tmp_path / "train.csv", *lines)
    write_lines(tmp_path / "validation.csv", lines[0], "a page,good", "another page,good")
    with pytest.raises(UserError, match=r"validation would have a single label \(rows: 2\); add rows with another one"):
        trial(tmp_path)
