"""Adding entries to `params.yaml` changes nothing else in it."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from toy_params import SHIPPED

from textbook.errors import UserError
from textbook.params_edit import add_entries, scalar

ENTRIES: dict[tuple[str, ...], dict[str, Any]] = {
    ("assets", "path", "tickets"): {"path": "/data/my tickets.csv"},
    ("tasks", "tickets"): {"asset": "tickets", "text": ["message"], "labels": ["no", "yes"], "holdout": 0.1},
}
ASSET = "    tickets: {path: /data/my tickets.csv}"
TASK = ["  tickets:", "    asset: tickets", "    text: [message]", '    labels: ["no", "yes"]', "    holdout: 0.1"]


def parse(content: str) -> Any:
    return YAML(typ="safe", pure=True).load(content)


def test_the_shipped_file_gets_the_new_lines_and_keeps_all_others() -> None:
    before = SHIPPED.read_text()
    after = add_entries(before, ENTRIES).splitlines()
    start = after.index("  path:")
    assert after[start + 1] == ASSET
    task = after.index("  tickets:")
    assert after[task : task + len(TASK)] == TASK
    assert after[task - 1] == "    seed: 0"
    assert after[task + len(TASK)] == ""
    del after[task : task + len(TASK)], after[start + 1]
    after[start] = "  path: {}"
    assert after == before.splitlines()


@pytest.mark.parametrize(
    "content",
    [
        "assets:\n  path: {} # mine\ntasks: {}\n",
        "assets: {path: {}}\ntasks: {a: {b: 1}}",
        "assets: {path: {a: {path: b}}}\ntasks:\n    a: {b: 1} # the first\n\n# the end\n",
        "assets:\r\n  path:\r\n    a: {path: b}\r\ntasks:\r\n  a: {b: 1}\r\n",
        "tasks:\n  a:\n    b: 'quoted\n      text' # two lines\nassets:\n  path:\n    a:\n      path: b",
        "tasks:\n  a:\n    b:\n    - 1\n    - 2\n  # a remark\nassets:\n    path:\n        a: {path: b}\n",
        "tasks:\n  a:\n    b: |\n      text\n\nassets:\n  path: {\n    a: {path: b}\n  }\n",
        "tasks:\n  a:\n    b: null\nassets:\n  path: {}\n",
    ],
)
def test_every_layout_is_kept(content: str) -> None:
    after = add_entries(content, ENTRIES)
    expected = parse(content)
    expected["assets"]["path"]["tickets"] = ENTRIES["assets", "path", "tickets"]
    expected["tasks"]["tickets"] = ENTRIES["tasks", "tickets"]
    assert parse(after) == expected
    for comment in ("# mine", "# the first", "# the end", "# two lines", "# a remark"):
        assert (comment in after) == (comment in content)
    assert ("\r\n" in after) == ("\r\n" in content)
    assert "\n" not in after.replace("\r\n", "") or "\r\n" not in content


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("assets: {path: {}}\n", "has no tasks"),
        ("assets:\n  path:\ntasks: {a: {}}\n", "assets.path must be a mapping"),
        (
            "assets: {path: {a: {path: b},}}\ntasks: {}\n",
            "is laid out in a way that lines cannot be added to; add them",
        ),
        ("tasks: &x\n  a: {}\nassets:\n  path: *x\n", "is laid out in a way that lines cannot be added to"),
    ],
)
def test_a_layout_that_cannot_be_added_to_is_refused(content: str, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        add_entries(content, ENTRIES)


@given(
    st.text() | st.sampled_from(["yes", "No", "null", "~", "1", "1.0", "1e3", "a: b", "a #b", "- a", "=", "!a", "&a"])
)
def test_any_text_is_read_back_as_it_was(text: str) -> None:
    content = add_entries("a:\n  b: {}\n", {("a", "c"): {"d": text, "e": [text]}})
    assert parse(content)["a"]["c"] == {"d": text, "e": [text]}
    assert scalar(text).isprintable()


def test_nothing_is_added_to_a_file_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no tasks$"):
        add_entries("- a\n", {("tasks", "a"): {"b": 1}})
