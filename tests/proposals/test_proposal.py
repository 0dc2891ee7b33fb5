"""Proposing a task on a user's table: its columns, its labels and its name."""

from pathlib import Path

import datasets
import pytest
from toy_tables import WRITERS
from toy_tickets import KINDS, PARAMS, labelled, propose, tickets, write_lines

from textbook.errors import UserError
from textbook.params import PathAsset, Task
from textbook.proposals.proposal import Choices, propose_task


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_gives_the_same_proposal(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"Tickets 2024.{suffix}"
    WRITERS[suffix](path, tickets())
    proposal = propose(path)
    assert proposal.entries() == {
        ("assets", "path", "tickets_2024"): {"path": str(path)},
        ("tasks", "tickets_2024"): {
            "asset": "tickets_2024",
            "text": ["message"],
            "label": "kind",
            "labels": KINDS,
            "metrics": ["accuracy"],
            "holdout": 0.2,
        },
    }
    assert proposal.labels.classes == dict.fromkeys(KINDS, 20)
    assert (proposal.rows, proposal.language, proposal.notes) == (60, "en", [])
    Task(**proposal.task)


@pytest.mark.parametrize(
    ("header", "texts"),
    [
        ("sentence1,sentence2,label", ["sentence1", "sentence2"]),
        ("text_b,text_a,label", ["text_a", "text_b"]),
        ("Premise,Hypothesis,label", ["Premise", "Hypothesis"]),
        ("title,body,label", ["body"]),
    ],
)
def test_the_text_is_found_by_its_usual_name(tmp_path: Path, header: str, texts: list[str]) -> None:
    rows = [f"this is text {n},and here is another {n},{'no' if n % 2 else 'yes'}" for n in range(30)]
    proposal = propose(write_lines(tmp_path / "pairs.csv", header, *rows))
    assert proposal.task["text"] == texts
    assert proposal.task["labels"] == ["no", "yes"]


def test_what_is_ambiguous_is_refused_and_can_be_chosen(tmp_path: Path) -> None:
    rows = [f"this is text {n},here is another {n},{n % 2},{n % 3}" for n in range(30)]
    path = write_lines(tmp_path / "claims.csv", "claim,reply,checked,rank", *rows)
    with pytest.raises(
        UserError, match=r"the label can be checked \(2 values\), rank \(3 values\); say which: LABEL=checked$"
    ):
        propose(path)
    with pytest.raises(
        UserError, match="the text can be claim, reply; say which: TEXT=claim, or for a pair TEXT=claim"
    ):
        propose(path, label="rank")
    chosen = propose(path, label="rank", text="reply", text2="claim", name="ranks")
    assert (chosen.name, chosen.task["text"], chosen.task["labels"]) == ("ranks", ["reply", "claim"], ["0", "1", "2"])


@pytest.mark.parametrize(
    ("choices", "problem"),
    [
        ({"text": "body"}, "has no column 'body' that can be read; it has text, label"),
        ({"text": "text", "label": "kind"}, "has no column 'kind'; it has text, label"),
        ({"text2": "text"}, "TEXT2 = 'text': is the second text of a pair; name the first one too: TEXT=…"),
        ({"text": "label", "label": "label"}, "TEXT = 'label', LABEL = 'label': must differ"),
        ({"name": "My task"}, "NAME = 'My task': must start with a lower-case letter and have only"),
        ({"name": "rotten_tomatoes"}, "NAME = 'rotten_tomatoes': params.yaml has a task of this name; choose another"),
        ({"name": "minilm"}, "NAME = 'minilm': params.yaml has an asset of this name; choose another: NAME=…"),
    ],
)
def test_a_choice_that_is_wrong_is_refused(tmp_path: Path, choices: dict[str, str], problem: str) -> None:
    path = write_lines(tmp_path / "mood.csv", *labelled(*["good", "bad"] * 10))
    with pytest.raises(UserError) as error:
        propose(path, **choices)
    assert problem in str(error.value)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], "is empty"),
        (["text"], "has the single column 'text'; a task needs a text and a label"),
        (labelled(*["good", "bad"] * 9)[1:], "'good' looks like a value; add a first line such as"),
        (labelled(*["0", "1"] * 9)[1:], "'0' looks like a value; add a first line such as text,label"),
        (labelled(*map(str, range(20))), "no column can be the label: it has 2 to 200 values that occur again and"),
        (labelled(*["good"] * 20), "no column can be the label"),
        (
            ["id,label", *(f"{n},{n % 2}" for n in range(20))],
            "no column has texts of several words; the columns are id, label; TEXT=…",
        ),
        (["text,label,text,label", "a,0,b,1"], "has 2 columns 'text'; rename the others"),
        (["text,label", "a, b,0"], "row 0 (line 2): has 3 columns, but the header has 2"),
    ],
)
def test_what_cannot_be_understood_is_refused_in_one_line(tmp_path: Path, lines: list[str], problem: str) -> None:
    path = tmp_path / "mood.csv"
    path.write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(UserError) as error:
        propose(path)
    assert str(error.value).startswith(f"{path}: ")
    assert problem in str(error.value)
    assert "\n" not in str(error.value)


def test_a_class_may_be_called_like_its_column_and_a_column_like_a_number(tmp_path: Path) -> None:
    rows = [f"this is text {n},{['spam', 'ham'][n % 2]},{n}" for n in range(30)]
    proposal = propose(write_lines(tmp_path / "mails.csv", "message,spam,2024", *rows))
    assert (proposal.task["text"], proposal.task["label"]) == (["message"], "spam")


def test_other_columns_may_be_anything(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "mood.jsonl",
        *(
            f'{{"text": "it was day number {n}", "label": {n % 2}, "tags": {["[]", "{}", "1"][n % 3]}}}'
            for n in range(20)
        ),
    )
    proposal = propose(path)
    assert (proposal.task["text"], proposal.task["label"]) == (["text"], "label")


def test_class_names_of_the_file_are_taken_in_their_order(tmp_path: Path) -> None:
    features = datasets.Features(
        {"text": datasets.Value("string"), "mood": datasets.ClassLabel(names=["good", "bad", "odd"])}
    )
    rows = {"text": [f"this is text {n}" for n in range(20)], "mood": [n % 2 for n in range(20)]}
    datasets.Dataset.from_dict(rows, features=features).to_parquet(str(tmp_path / "mood.parquet"))
    assert propose(tmp_path / "mood.parquet").labels.classes == {"good": 10, "bad": 10, "odd": 0}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("2024 Bücher-Liste.csv", "bucher_liste"),
        ("x/../mails.v2.csv", "mails"),
        ("mails/train.csv", "mails"),
        ("mails/data.csv", "mails"),
    ],
)
def test_the_name_comes_from_the_file_or_its_folder(tmp_path: Path, path: str, name: str) -> None:
    assert propose(write_lines(tmp_path / path, *labelled(*["good", "bad"] * 10))).name == name


def test_a_file_without_a_name_in_latin_letters_needs_one(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "отзывы.csv", *labelled(*["good", "bad"] * 10))
    with pytest.raises(UserError, match=r"отзывы\.csv: gives no name to the task; say NAME=…$"):
        propose(path)
    assert propose(path, name="reviews").name == "reviews"


def test_a_second_task_on_a_file_shares_its_asset(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "mood.csv", *labelled(*["good", "bad"] * 10))
    assets = PARAMS.assets.model_copy(update={"path": {"mine": PathAsset(path=str(path))}})
    proposal = propose_task(path, Choices(), PARAMS.model_copy(update={"assets": assets}))
    assert list(proposal.entries()) == [("tasks", "mood")]
    assert proposal.task["asset"] == "mine"


@pytest.mark.parametrize(("rows", "holdout"), [(999, 0.2), (1_000, 0.1), (50_000, 0.1), (50_001, 5_000)])
def test_the_share_that_is_held_out_depends_on_the_size(tmp_path: Path, rows: int, holdout: float) -> None:
    path = tmp_path / "mood.parquet"
    WRITERS["parquet"](path, [{"text": f"this is text {n}", "label": n % 2} for n in range(rows)])
    assert propose(path).task["holdout"] == holdout
