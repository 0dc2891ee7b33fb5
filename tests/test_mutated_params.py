"""A `params.yaml` with a key changed, removed, renamed or added is refused in one line that names the key, or right."""

import random
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from textbook.errors import UserError
from textbook.params_file import check_params

ROOT = Path(__file__).parents[1]
FILES = 300
RAW = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
VALUES: list[Any] = [None, True, False, 0, -1, 1, 2, 0.5, -0.5, 1e308, float("inf"), float("nan"), 10**30, -(10**30)]
VALUES += [
    "",
    "x",
    "../x",
    "~",
    "a b",
    "{}",
    [],
    ["a"],
    [1],
    [[1]],
    {},
    {"a": 1},
    {"a": {"b": 1}},
    "0",
    " ",
    "a\nb",
    "é",
]
KEYS: list[Any] = ["extra", "A", "a b", "", "a\nb", 1, None, True, "x" * 300]


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values of a YAML file."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [place for key, value in children for place in [(*path, key), *places(value, (*path, key))]]


def change(rng: random.Random) -> tuple[Any, tuple[Any, ...]]:
    """The parameters with one change, and the path of the changed key."""
    raw, path = deepcopy(RAW), rng.choice(places(RAW))
    parent = raw
    for name in path[:-1]:
        parent = parent[name]
    kind = rng.choice(["set", "set", "remove", "rename", "add"])
    if kind == "set" or isinstance(parent, list):
        parent[path[-1]] = rng.choice(VALUES)
    elif kind == "remove":
        del parent[path[-1]]
    else:
        key = rng.choice(KEYS) if kind == "add" else f"{path[-1]}{rng.choice(['x', ' ', '-a', 'é'])}"
        parent[key] = rng.choice(VALUES) if kind == "add" else parent.pop(path[-1])
    return raw, path


@pytest.mark.parametrize("seed", range(FILES))
def test_a_changed_file_is_refused_in_one_line_or_right(seed: int) -> None:
    raw, path = change(random.Random(seed))
    try:
        params = check_params(raw, "params.yaml")
    except UserError as error:
        message = str(error)
        assert message.startswith("params.yaml: ")
        assert "\n" not in message
        assert len(message) < 2_000
        # It names the key or, if that is gone or its value is needed elsewhere, the part of the file that it is in.
        names = [".".join(map(str, path[:length])) for length in range(1, len(path) + 1)]
        assert any(name in message for name in [*names, ": is not text; a key that"]), message
        return
    assert check_params(params.model_dump(exclude_unset=True), "the same parameters") == params
