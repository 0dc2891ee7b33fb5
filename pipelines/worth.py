"""Whether the student of a task is worth it, for the stage that registers it and for what a user reads."""

from collections.abc import Mapping
from typing import Any

import pyarrow.parquet as pq

from pipelines.paths import TEXTBOOKS, textbook_files
from textbook.files import read_json
from textbook.params import Params
from textbook.reporting.verdict import advice, warning


def concern(params: Params, task: str, figures: Mapping[str, Mapping[str, Any]]) -> str:
    """The baselines that the student does not beat, and what is likely to help; empty if it is worth it.

    Args:
        figures: the output of the stage `evaluate`, by name of the model.
    """
    metric = params.task(task).metrics[0]
    line = warning(figures, metric)
    if not line:
        return ""
    book = textbook_files(task, params.distill.textbook)[0]
    texts = pq.read_metadata(book).num_rows if book.is_file() else 0
    return f"{line} {advice(figures, metric, params.distill, _first_textbook(params, task), texts)}"


def _first_textbook(params: Params, task: str) -> dict[str, Any]:
    """The figures of the textbook, or of the first of two; empty if there are none."""
    kind = params.distill.textbook
    path = TEXTBOOKS / task / f"{kind}.json"
    figures: dict[str, Any] = read_json(path) if path.is_file() else {}
    first, *others = kind.split("+")
    return figures.get(first, {}) if others else figures
