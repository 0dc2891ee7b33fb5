"""The reference has every parameter with type, bounds, shipped value and help."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipelines.docs.parameters_page import anchor, parameters_page
from textbook.params import Params

SHIPPED = YAML(typ="safe", pure=True).load(Path(__file__).parents[3] / "profiles" / "default.yaml")
PAGE = parameters_page(SHIPPED)


def leaves(value: Any, name: str) -> Iterator[str]:
    """The dotted names in a parameter file; a name of the user's is left out."""
    yield name
    if isinstance(value, dict) and name not in ("sweep.set", "tasks.where", "corpus.sources.where"):
        named = name in ("assets.wheel", "assets.masked_lm", "corpus.sources", "tasks", "textbooks.augmented")
        for key, inner in value.items():
            yield from leaves(inner, name if named else f"{name}.{key}")


def test_every_key_of_the_shipped_file_is_in_the_page_once() -> None:
    names = {name for key, value in SHIPPED.items() for name in leaves(value, key)} - set(SHIPPED)
    assert len(names) > 100
    ids = re.findall(r"\{ #(\S+) \}", PAGE)
    assert {anchor(name) for name in names} <= set(ids)
    assert len(ids) == len(set(ids))
    assert re.findall(r"^## (\w+)$", PAGE, re.MULTILINE) == list(Params.model_fields)


@pytest.mark.parametrize(
    "line",
    [
        "`distill.steps`{ #distill-steps } · integer (above 0, at most 10¹²) · shipped: `1000`",
        "`adapt.patience`{ #adapt-patience } · integer (above 0, at most 10¹²) or `null` · shipped: `null`",
        "`adapt.seeds`{ #adapt-seeds } · list (1 or more) of integer (at least 0, below 2³²) · shipped: `[0, 1]`",
        "`index.engine`{ #index-engine } · `bm25s` or `whoosh` · shipped: `bm25s`",
        "`textbooks.contextualized.budget`{ #textbooks-contextualized-budget } · section or `null` · shipped: `null`",
        "`tasks.‹name›.scale`{ #tasks-scale } · list (2) of number or `null` · may be left out",
        "`tasks.‹name›.metrics`{ #tasks-metrics } · list (1 or more) of `accuracy` or `f1` or `macro_f1` or `matthews`"
        " or `pearson` or `spearman` · may be left out",
        "`sweep.tasks`{ #sweep-tasks } · mapping · shipped: `{}`",
        "`sweep.asha.reduction`{ #sweep-asha-reduction } · integer (at least 2)",
    ],
)
def test_a_parameter_has_its_type_its_bounds_and_its_shipped_value(line: str) -> None:
    assert f"\n{line}\n:   " in PAGE


def test_the_help_is_the_docstring() -> None:
    for field in ("`distill.top_percent`", "`teacher.zero.offload`"):
        section, name = field.strip("`").rsplit(".", 1)
        model: Any = Params
        for part in section.split("."):
            model = model.model_fields[part].annotation
        assert " ".join(model.model_fields[name].description.split()) in PAGE
