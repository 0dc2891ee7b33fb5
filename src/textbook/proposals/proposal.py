"""Proposing the entries of `params.yaml` for a task on a user's labelled data."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from textbook.errors import UserError
from textbook.params import Params, Task
from textbook.proposals.choice import check_header, choose_label, choose_texts
from textbook.proposals.language import guess_language
from textbook.proposals.layout import DELIMITERS, find_layout
from textbook.proposals.names import choose_name
from textbook.proposals.proposed_labels import ProposedLabels, understand_labels
from textbook.proposals.proposed_texts import check_texts, notes_on_texts, row_lengths
from textbook.proposals.task_files import TaskFiles, find_task_files
from textbook.tables.blocks import list_columns
from textbook.tables.files import table_format
from textbook.tasks.rows import LabelledRows, read_labelled_rows
from textbook.tasks.splits import VALIDATION

SMALL = 1000  # rows; of a smaller table a larger share is held out
MOST_HELD_OUT = 5000  # rows; more would only take time


@dataclass(frozen=True)
class Choices:
    """What the user has decided; an empty text: nothing, so the proposal decides."""

    name: str = ""
    text: str = ""
    text2: str = ""
    label: str = ""

    @property
    def texts(self) -> list[str]:
        """The columns of the text."""
        return [name for name in (self.text, self.text2) if name]


@dataclass(frozen=True)
class Proposal:
    """A new task, as entries of `params.yaml`, and what the user should know of it."""

    name: str
    source: Path
    """The file or folder with the data."""
    asset: Mapping[str, Any] | None
    """The entry in `assets.path`; None: the parameters have an asset with this path."""
    task: Mapping[str, Any]
    """The entry in `tasks`."""
    rows: int
    """The number of rows with a label."""
    labels: ProposedLabels
    lengths: tuple[int, int]
    """The median and the greatest number of words of a text, or of both texts of a pair together."""
    language: str | None
    """The language of the texts, as an ISO 639 code; None: it is unclear."""
    notes: list[str]
    """What looks wrong, and what to do about it."""

    def entries(self) -> dict[tuple[str, ...], Mapping[str, Any]]:
        """The new entries of `params.yaml` by their path in it."""
        entries: dict[tuple[str, ...], Mapping[str, Any]] = {("tasks", self.name): self.task}
        return entries if self.asset is None else {("assets", "path", self.name): self.asset, **entries}


def propose_task(path: Path, choices: Choices, params: Params) -> Proposal:
    """Look at a user's data, and propose a task on it.

    Args:
        path: a file, or a folder of files; relative to the project, or absolute.
        params: the parameters that the task is added to.

    Raises:
        UserError: the data cannot be understood, a text or a label is missing, or the name of the task is taken.
    """
    _check_choices(choices)
    files = find_task_files(path)
    asset = _asset_of(files, params)
    name = choose_name(path, files.root, choices.name, params, new_asset=asset is None)
    keys, texts, label = _choose_columns(files, choices)
    draft: dict[str, Any] = {"asset": asset or name, **keys, "text": texts, "label": label}
    rows, class_names = _read_rows(name, Task(**draft), files)
    labels = understand_labels(label, rows, class_names)
    if labels.where is not None:
        draft |= {"where": {label: labels.where}}
        rows, _ = _read_rows(name, Task(**draft), files)
    check_texts(" or ".join(texts), rows)
    language = guess_language([text or "" for pair in rows.texts for text in pair])
    lengths = row_lengths(rows)
    max_length = min(params.teacher.max_length, params.adapt.max_length)
    return Proposal(
        name=name,
        source=files.root,
        asset=None if asset else {"path": str(files.root)},
        task={**draft, **_labels_of(labels), "metrics": labels.metrics, **_validation_of(files, len(rows))},
        rows=len(rows),
        labels=labels,
        lengths=(round(median(lengths)), max(lengths)),
        language=language,
        notes=[
            *files.notes,
            *_notes_on_keys(keys),
            *labels.notes,
            *notes_on_texts(rows, lengths, max_length),
            *_notes_on_language(language, params),
        ],
    )


def _check_choices(choices: Choices) -> None:
    if choices.text2 and not choices.text:
        raise UserError(f"TEXT2 = {choices.text2!r}: is the second text of a pair; name the first one too: TEXT=…")
    columns = {"TEXT": choices.text, "TEXT2": choices.text2, "LABEL": choices.label}
    given = {variable: column for variable, column in columns.items() if column}
    if len(set(given.values())) < len(given):
        raise UserError(", ".join(f"{variable} = {column!r}" for variable, column in given.items()) + ": must differ")


def _asset_of(files: TaskFiles, params: Params) -> str | None:
    """The name of the asset that the parameters have for these files; None if there is none."""
    root = os.path.abspath(files.root)
    return next((name for name, asset in params.assets.path.items() if os.path.abspath(asset.path) == root), None)


def _choose_columns(files: TaskFiles, choices: Choices) -> tuple[dict[str, str], list[str], str]:
    """The keys that say how the tables are written, the columns of the text, and that of the label."""
    path = files.tables[0]
    given = [*choices.texts, *([choices.label] if choices.label else [])]
    layout = find_layout(files.tables, given if choices.text and choices.label else [])
    if table_format(path)[0] in DELIMITERS:
        check_header(path, layout.columns)
    if missing := next((name for name in given if name not in layout.columns), None):
        raise UserError(f"{path}: has no column {missing!r} that can be read; it has {list_columns([*layout.columns])}")
    label = choices.label or choose_label(path, layout, choices.texts)
    return layout.keys, choices.texts or choose_texts(path, layout, label), label


def _read_rows(name: str, task: Task, files: TaskFiles) -> tuple[LabelledRows, list[str]]:
    """The rows of all tables, and the class names that the tables give, if all give the same."""
    rows = LabelledRows([], [], [])
    names: list[list[str]] = []
    for table in files.tables:
        more, own = read_labelled_rows(name, task, table)
        rows.extend(more)
        names.append(own)
    return rows, names[0] if all(own == names[0] for own in names) else []


def _labels_of(labels: ProposedLabels) -> dict[str, Any]:
    return {"scale": labels.scale} if labels.scale else {"labels": list(labels.classes)}


def _validation_of(files: TaskFiles, rows: int) -> dict[str, Any]:
    """The keys that say where validation data come from."""
    if files.validation:
        return {} if files.validation == VALIDATION else {"validation": [files.validation]}
    share = 0.2 if rows < SMALL else 0.1
    return {"holdout": share if share * rows <= MOST_HELD_OUT else MOST_HELD_OUT}


def _notes_on_keys(keys: Mapping[str, str]) -> list[str]:
    notes = {"escape": "a backslash before a quote is not part of the text", "quote": "quotes are part of the text"}
    return [f"{note} (`{key}`)" for key, note in notes.items() if key in keys]


def _notes_on_language(language: str | None, params: Params) -> Sequence[str]:
    ours = params.corpus.language
    if language in (None, ours):
        return []
    return [
        f"the language of the texts looks like {language}, but `corpus.language` is {ours}: the general text and the"
        " teacher must be of the task's language"
    ]
