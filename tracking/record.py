"""The record of a cell: everything that its MLflow run contains. The run can be created from it at any time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from textbook.names import student_name


class Input(NamedTuple):
    """A file or folder that the cell was made from."""

    context: str
    """The role of the input, such as `textbook`."""
    path: Path
    digest: str | None
    """Its hash in DVC, if known."""


@dataclass(frozen=True)
class Record:
    """A cell: one student, from its init, teacher and textbook to its scores on its task."""

    digest: str
    """The identity of the cell: equal inputs have equal digests."""
    task: str
    init: str
    teacher: str
    textbook: str
    params: Mapping[str, Any]
    """Every parameter, by dotted name."""
    top_percent: float = 100
    """The part of the textbook that was used."""
    student: str = ""
    """The name of the student's shape in a sweep of several; otherwise empty."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """The git commit and the hashes of DVC outputs, see `lineage`."""
    inputs: Sequence[Input] = ()
    curves: Mapping[str, Path] = field(default_factory=dict)
    """The history files, by the prefix of their metrics. A file that doesn't exist yet is skipped."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """The final metrics."""
    results: Sequence[Sequence[str]] = ()
    """The student beside teacher and baselines: a header, and a row for each. Empty if they were not compared."""
    concern: str = ""
    """Why the student is not worth it, and what is likely to help; empty if it is, or if that is not known."""
    model: Path | None = None
    """The student, as a Hugging Face folder."""
    pairs: Mapping[str, float] = field(default_factory=dict)
    """The figures of a textbook of pairs: how its pairs were made, and how alike they are, beside those of the task."""
    example: Sequence[str] = ()
    """An example input: one text, or the two texts of a pair."""

    @property
    def name(self) -> str:
        """The name of the cell's run."""
        return student_name(self.task, self.init, self.teacher, self.textbook, self.top_percent, self.student)


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Flatten nested mappings to one mapping with dotted keys. An empty mapping stays a value."""
    if isinstance(value, Mapping) and value:
        return {
            key: leaf
            for name, child in value.items()
            for key, leaf in flatten(child, f"{prefix}.{name}".lstrip(".")).items()
        }
    return {prefix: value}
