"""What is to be known of a cell: all that its MLflow run holds, and from which the run can be made at any time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple


class Input(NamedTuple):
    """A file or folder that the cell was made from."""

    context: str
    """What it is used as, such as `textbook`."""
    path: Path
    digest: str | None
    """Its hash in DVC."""


@dataclass(frozen=True)
class Record:
    """A cell: one student, from its init, teacher and textbook to its scores on its task."""

    digest: str
    """What identifies it: equal for equal inputs, another for others."""
    task: str
    init: str
    teacher: str
    textbook: str
    params: Mapping[str, Any]
    """Every parameter, by dotted name."""
    top_percent: float = 100
    """How much of the textbook it learnt from."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Such as the git commit and the hashes of what DVC made; see `lineage`."""
    inputs: Sequence[Input] = ()
    curves: Mapping[str, Path] = field(default_factory=dict)
    """The history files, by what comes before the names of their figures; one that is not there yet is left out."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """What it came to."""
    model: Path | None = None
    """The student, as a Hugging Face folder."""
    example: Sequence[str] = ()
    """An input of the model: a text, or the two of a pair."""

    @property
    def name(self) -> str:
        """The name of its run."""
        return cell_name(self.task, self.init, self.teacher, self.textbook, self.top_percent)


def cell_name(task: str, init: str, teacher: str, textbook: str, top_percent: float = 100) -> str:
    """What a cell is called everywhere."""
    part = "" if top_percent == 100 else f" · top {top_percent:g} %"
    return f"{task} · {init} · {teacher} · {textbook}{part}"


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys."""
    if isinstance(value, Mapping) and value:
        return {
            key: leaf
            for name, part in value.items()
            for key, leaf in flatten(part, f"{prefix}.{name}".lstrip(".")).items()
        }
    return {prefix: value}
