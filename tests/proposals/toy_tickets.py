"""Tickets of customers: a labelled table as users have them."""

from pathlib import Path
from typing import Any

from toy_params import SHIPPED

from textbook.params_file import load_params
from textbook.proposals.proposal import Choices, Proposal, propose_task

PARAMS = load_params(SHIPPED)
KINDS = ["bug", "praise", "question"]
Rows = list[dict[str, Any]]


def tickets(count: int = 60) -> Rows:
    """Rows with an id, a text and one of three kinds."""
    return [
        {"id": number, "message": f"the page of order {number} did not open", "kind": KINDS[number % 3]}
        for number in range(count)
    ]


def write_lines(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def labelled(*labels: str, text: str = "the page of order {} did not open") -> list[str]:
    """The lines of a CSV file with these labels."""
    return ["text,label", *(f"{text.format(number)},{label}" for number, label in enumerate(labels))]


def propose(path: Path, **choices: str) -> Proposal:
    return propose_task(path, Choices(**choices), PARAMS)
