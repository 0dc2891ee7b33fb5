"""What is said about the texts of a user's table."""

from pathlib import Path

import pytest
from toy_tickets import PARAMS, labelled, propose, write_lines

from textbook.errors import UserError

LINES = labelled(*["good", "bad"] * 20)
GERMAN = "die Suppe war nicht so gut wie im letzten Jahr und wir haben lange auf den Tisch gewartet {}"


def test_repeated_texts_are_counted_and_those_with_different_labels(tmp_path: Path) -> None:
    lines = [*LINES, "The page of order 0  did not OPEN,good", "the page of order 1 did not open,good"]
    notes = propose(write_lines(tmp_path / "mood.csv", *lines)).notes
    assert notes == ["2 rows repeat the text of another row", "1 text has different labels in different rows"]


def test_texts_that_are_longer_than_the_models_read_are_counted(tmp_path: Path) -> None:
    assert min(PARAMS.teacher.max_length, PARAMS.adapt.max_length) == 64
    long, short = ("word " * 49, "word " * 48)
    proposal = propose(write_lines(tmp_path / "mood.csv", *LINES, f"{long},good", f"{short},bad"))
    (note,) = proposal.notes
    assert note.startswith("1 of 42 texts have more than 48 words, about the 64 tokens that the models read")
    assert proposal.lengths == (8, 49)


def test_another_language_than_that_of_the_corpus_is_mentioned(tmp_path: Path) -> None:
    proposal = propose(write_lines(tmp_path / "mood.csv", *labelled(*["good", "bad"] * 20, text=GERMAN)))
    assert proposal.language == "de"
    assert proposal.notes[0].startswith("the language of the texts looks like de, but `corpus.language` is en")


def test_rows_without_a_label_are_left_out(tmp_path: Path) -> None:
    proposal = propose(write_lines(tmp_path / "mood.csv", *LINES, "not yet read,", ",", "nor this, "))
    assert proposal.rows == 40
    assert proposal.task["where"] == {"label": ["bad", "good"]}


@pytest.mark.parametrize("empty", ["", "  ", "\u00a0"])
def test_an_empty_text_is_refused_with_its_row(tmp_path: Path, empty: str) -> None:
    path = write_lines(tmp_path / "mood.csv", *LINES, f"{empty},good")
    with pytest.raises(UserError) as error:
        propose(path)
    assert str(error.value) == f"{path}, row 40 (line 42): no text in text; fill it in, or remove the row"


def test_of_many_empty_texts_the_first_rows_are_named(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "mood.csv", *LINES, *[",good"] * 5)
    with pytest.raises(UserError, match=r"row 40 \(line 42\); .*row 42 \(line 44\) and 2 more rows: no text in text"):
        propose(path)
