"""Which files of a user's belong to a task, and which of them are for validation."""

from pathlib import Path

import pytest
from toy_tickets import labelled, propose, write_lines

from textbook.errors import UserError

LINES = labelled(*["good", "bad"] * 10)


def write(folder: Path, *names: str) -> None:
    for number, name in enumerate(names):
        write_lines(folder / name, *(line.replace("order", f"order {number}") for line in LINES))


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (["train.csv", "validation.csv", "test.csv"], {}),
        (["train.csv", "dev.csv"], {"validation": ["dev"]}),
        (
            ["train-00000-of-00002.csv", "train-00001-of-00002.csv", "valid-00000-of-00001.csv"],
            {"validation": ["valid"]},
        ),
        (["train.csv", "test.csv"], {"holdout": 0.2}),
        (["a.csv", "b.csv"], {"holdout": 0.2}),
    ],
)
def test_files_for_validation_are_found_by_their_names(
    tmp_path: Path, names: list[str], keys: dict[str, object]
) -> None:
    write(tmp_path / "mood", *names)
    task = propose(tmp_path / "mood").task
    assert {key: value for key, value in task.items() if key in ("validation", "holdout")} == keys


def test_beside_a_file_for_validation_the_folder_is_taken(tmp_path: Path) -> None:
    write(tmp_path / "mood", "train.csv", "validation.csv", "test.csv")
    proposal = propose(tmp_path / "mood" / "train.csv")
    assert proposal.asset == {"path": str(tmp_path / "mood")}
    assert (proposal.name, proposal.rows) == ("mood", 40)
    assert proposal.notes[0] == "not read: test.csv"


@pytest.mark.parametrize(
    ("file", "note"),
    [
        ("mood_train.csv", "only mood_train.csv is read, but mood_dev.csv may belong to it: to use both, name them"),
        ("", "mood_dev.csv, mood_train.csv are read as one table: to keep them apart, name them train.csv and"),
    ],
)
def test_other_names_of_splits_are_mentioned(tmp_path: Path, file: str, note: str) -> None:
    write(tmp_path / "mood", "mood_train.csv", "mood_dev.csv")
    assert propose(tmp_path / "mood" / file, name="mood").notes[0].startswith(note)


def test_several_data_sets_are_refused_with_the_first(tmp_path: Path) -> None:
    write(tmp_path / "glue", "rte/train.csv", "sst2/train.csv")
    with pytest.raises(UserError, match=rf"has several data sets; name one of them: FILE={tmp_path}/glue/rte \("):
        propose(tmp_path / "glue")


def test_files_of_several_formats_are_refused_unless_they_are_splits(tmp_path: Path) -> None:
    write(tmp_path / "mood", "all.csv")
    write_lines(tmp_path / "mood" / "corpus.txt", "general text")
    with pytest.raises(
        UserError, match=r"has files of several formats \(all\.csv, corpus\.txt\); name one: FILE=.*csv$"
    ):
        propose(tmp_path / "mood")
    write(tmp_path / "mood", "train.csv", "validation.csv")
    assert propose(tmp_path / "mood").rows == 40


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("missing.csv", "no such file or folder"),
        ("mood.xlsx", "unknown format '.xlsx'; supported are .parquet, .csv"),
        ("mood.txt", "a text file has no labels; a task needs CSV, TSV, JSONL or Parquet"),
        ("pointer.csv", "is a Git LFS pointer"),
        ("empty", "has no tables; supported formats are"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "mood.xlsx").write_bytes(b"PK")
    (tmp_path / "mood.txt").write_text("a line\n")
    (tmp_path / "pointer.csv").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(UserError, match=problem):
        propose(tmp_path / name)


def test_the_folder_of_the_project_is_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "train.csv", "validation.csv")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="contains the project; put the data into a folder of their own"):
        propose(Path("train.csv"), name="mood")
