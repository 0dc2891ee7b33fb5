"""Writing a textbook with its figures, and checking both, for the stages that make textbooks."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipelines.paths import TEXTBOOKS, VALIDATION_REPORTS
from textbook.files import atomic_write, sha256, write_json
from textbook.validation import Check, require_success

Figures = dict[str, Any]


def write_textbook(
    task: str, kind: str, write: Callable[[Path], Figures], check: Callable[[Path, Figures], Sequence[Check]]
) -> None:
    """Write a textbook and its figures. It appears only if every expectation holds.

    Args:
        write: writes the textbook to a path, and returns its figures.
        check: checks the textbook at a path, and its figures.
    """
    folder = TEXTBOOKS / task
    with atomic_write(folder / f"{kind}.parquet") as temporary:
        figures = write(temporary)
        report, title = VALIDATION_REPORTS / f"textbook-{task}-{kind}.html", f"{kind.capitalize()} textbook of {task}"
        require_success(check(temporary, figures), report, title)
    write_json(folder / f"{kind}.json", {**figures, "sha256": sha256(folder / f"{kind}.parquet")})
    print(f"{task}, {kind}: {figures['sentences']:,} sentences, {figures['leaks']:,} evaluation sentences removed")
