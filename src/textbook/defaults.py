"""Settings of the Python API: parameters of `params.yaml` by name, with the values of the quickstart as defaults."""

from collections.abc import Mapping
from typing import Any, TypeVar

from textbook.errors import UserError
from textbook.params import Adapt, Contextualized, Corpus, Distill, Index, Section, Student, Textbooks
from textbook.params_file import check_section

S = TypeVar("S", bound=Section)

DEFAULTS: Mapping[type[Section], Mapping[str, Any]] = {
    Corpus: {"language": "en", "min_words": 4, "max_words": 64, "max_characters": 2000, "near_duplicates": None},
    Index: {"engine": "bm25s", "k1": 1.2, "b": 0.75},
    Textbooks: {"leak_ngram": 8},
    Contextualized: {"k": 40, "budget": None, "pairs": "overlap", "phrases": 20, "blend": 0.0},
    Student: {"layers": 3, "hidden": 192, "heads": 12, "intermediate": 768},
    Distill: {
        "top_percent": 100,
        "relation_heads": 24,
        "teacher_layer": "auto",
        "steps": 1000,
        "batch": 64,
        "lr": 2e-3,
        "warmup": 0.05,
        "weight_decay": 0.01,
        "max_length": 64,
        "seed": 0,
        "order_seed": 0,
        "cuda_graphs": False,
        "deterministic": False,
        "shard_teacher": False,
        "snapshots": [],
    },
    Adapt: {
        "targets": "gold",
        "weight": 0.5,
        "temperature": 2.0,
        "class_weights": "none",
        "epochs": 3,
        "patience": None,
        "batch": 32,
        "lr": 2e-4,
        "warmup": 0.06,
        "weight_decay": 0.01,
        "max_length": 64,
        "seeds": [0, 1],
    },
}
"""The settings of each section, and the values of those that are not given."""

_IN_PROJECTS: Mapping[type[Section], Mapping[str, Any]] = {
    Corpus: {"sources": {}},
    Textbooks: {
        "contextualized": DEFAULTS[Contextualized],
        "general": {"sentences": 1, "seed": 0},
        "augmented": {},
    },
    Distill: {
        "init": "random",
        "teacher": "task",
        "textbook": "contextualized",
        "second": {"epochs": 1, "lr": 1e-4, "warmup": 0.06},
    },
}
"""Settings that choose among the artefacts of a project. They are no settings of a function, whose arguments are these
artefacts; the values have no effect."""


def check_setting_names(function: str, settings: Mapping[str, Any], *sections: type[Section]) -> None:
    """Check the names of settings.

    Args:
        function: whose settings they are, in messages.
        sections: the sections that have the function's settings.

    Raises:
        UserError: a setting is of none of the sections.
    """
    known = [name for section in sections for name in DEFAULTS[section]]
    for name in settings:
        if name not in known:
            raise UserError(f"{function}: {name} is not a setting; settings are {', '.join(known)}")


def fill_section(function: str, settings: Mapping[str, Any], section: type[S]) -> S:
    """A section of the parameters with some settings, and the defaults for the others.

    Args:
        function: whose settings they are, in messages.
        settings: also those of other sections, which are ignored.

    Raises:
        UserError: a value is wrong; the message names each such setting, its value and what is allowed.
    """
    own = {name: settings.get(name, default) for name, default in DEFAULTS[section].items()}
    return check_section(section, {**_IN_PROJECTS.get(section, {}), **own}, function)
