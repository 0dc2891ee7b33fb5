"""The model card: what a user wrote takes no effect as markup."""

import re

import pytest

from tracking.card import card
from tracking.record import Record

HOSTILE = [
    "<script>alert(1)</script>",
    "a | b",
    "[free](https://evil.example)",
    "*bold*",
    "![](https://evil.example/x)",
]


def card_of(**changes):
    values = {"params": {}, **changes}
    return card(Record("cell", values.pop("task", "reviews"), "random", "task", "general", **values))


def rows(text, first):
    """The cells of the rows of a table that begin with a word."""
    return [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith(f"| {first}")]


@pytest.mark.parametrize("label", HOSTILE)
def test_labels_and_parameters_are_plain_text(label):
    text = card_of(params={"tasks.reviews.labels": ["good", label], "corpus.note": label})
    assert "<script>" not in text
    assert not re.search(r"(?<!\\)\[free(?<!\\)\]", text)
    assert [len(cells) for cells in rows(text, "task ") + rows(text, "corpus.note")] == [2, 2]
    shown = re.sub(r"\\(.)", r"\1", rows(text, "corpus.note")[0][1]).strip()
    assert shown.replace("&lt;", "<").replace("&gt;", ">") == label


def test_the_card_has_the_overlap_of_a_textbook_of_pairs_and_of_its_task():
    text = card_of(pairs={"pairs_real": 7, "task_pair_overlap_p50": 0.38, "pair_overlap_p50": 0.37})
    assert rows(text, "task pair") == [[" task pair overlap p50 ", " 0.38 "]]
    assert rows(text, "pair") == [[" pairs real ", " 7 "], [" pair overlap p50 ", " 0.37 "]]
    assert "\n\nCode: git commit" in text
    assert "overlap" not in card_of()


def test_a_name_with_backticks_stays_a_code_span():
    assert "| task | `` a`b `` |" in card_of(task="a`b")


@pytest.mark.parametrize(
    ("dirty", "shown"),
    [("true", ", with uncommitted changes."), ("false", "."), ("unknown", ", perhaps with uncommitted changes.")],
)
def test_the_card_says_whether_the_code_was_committed(dirty, shown):
    text = card_of(tags={"mlflow.source.git.commit": "c0ffee", "git.dirty": dirty})
    assert f"Code: git commit `c0ffee`{shown}\n" in text


def test_the_results_of_all_models_come_first_and_the_single_metrics_late():
    results = [
        ("model", "accuracy", "student's lead"),
        ("teacher", "82.6", "-0.6 [-3.9, 2.7]"),
        ("student", "82.0", ""),
    ]
    text = card_of(results=results, metrics={"student/accuracy": 82.0})
    assert rows(text, "model") == [[" model ", " accuracy ", " student's lead "]]
    assert rows(text, "teacher ")[0] == [" teacher ", " 82.6 ", r" -0.6 \[-3.9, 2.7\] "]
    places = [text.index(part) for part in ("| model |", "| task |", "## Limits", "## All metrics", "## Parameters")]
    assert places == sorted(places)
    assert "|---|---:|---:|\n" in text
    assert "| model |" not in card_of()
