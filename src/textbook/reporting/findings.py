"""The paper's claims (sections 4 and 5, Table 2), each held against the grid of a sweep."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from textbook.reporting.cells import Place, Row, at, distinct, done, mean_of
from textbook.reporting.paper import beside_paper

FOR, AGAINST, OPEN = "for", "against", "within the error"
HEAD = ("task", "the one", "the other", "difference", "relation loss", "the paper's difference", "is")


@dataclass(frozen=True)
class Claim:
    """That students of one place in the grid (init, teacher, textbook) do better than those of another."""

    text: str
    one: Place
    other: Place


# Students from random init by what taught them, and those from general init.
GENERAL: Place = ("random", "task", "general")
AUGMENTED: Place = ("random", "task", "augmented")
CONTEXTUALIZED: Place = ("random", "task", "contextualized")
BOTH: Place = ("random", "task", "contextualized+augmented")
GENERAL_BY_GENERAL: Place = ("random", "general", "general")
CONTEXTUALIZED_BY_GENERAL: Place = ("random", "general", "contextualized")
CONTEXTUALIZED_FROM_GENERAL: Place = ("general", "task", "contextualized")
TINYBERT: Place = ("general", "task", "augmented")

CLAIMS = (
    Claim("The contextualized textbook teaches better than the general one.", CONTEXTUALIZED, GENERAL),
    Claim("It does so too where the teacher has not been fine-tuned.", CONTEXTUALIZED_BY_GENERAL, GENERAL_BY_GENERAL),
    Claim("The contextualized textbook teaches better than the augmented one (TaskDA).", CONTEXTUALIZED, AUGMENTED),
    Claim(
        "With a contextualized textbook a random init does as well as a general one: general distillation is "
        "dispensable.",
        CONTEXTUALIZED,
        CONTEXTUALIZED_FROM_GENERAL,
    ),
    Claim(
        "A teacher fine-tuned on the task teaches better than a general one, through general text,",
        GENERAL,
        GENERAL_BY_GENERAL,
    ),
    Claim("and through contextualized text.", CONTEXTUALIZED, CONTEXTUALIZED_BY_GENERAL),
    Claim("A second stage on the augmented textbook adds to the contextualized one.", BOTH, CONTEXTUALIZED),
    Claim(
        "The student that learnt from the contextualized textbook alone beats TinyBERT's recipe: general distillation, "
        "then augmented text.",
        CONTEXTUALIZED,
        TINYBERT,
    ),
)


@dataclass(frozen=True)
class Finding:
    """A claim, and a line of `HEAD` for each task whose grid has both places."""

    claim: str
    lines: Sequence[tuple[str, ...]]


def findings(rows: Sequence[Row]) -> list[Finding]:
    """What a sweep says of each claim that it has cells for.

    A difference has the error of both scores: of the validation rows, and of the seeds of adaptation. As both are
    measured on the same rows, the true one is rather smaller. What is less than twice its error decides nothing. The
    relation losses are on the task's own training texts, and on one scale only where one teacher taught both.

    Args:
        rows: those of the sweep's table.
    """
    rows = beside_paper("table2", [dict(row) for row in rows])
    by_task = [[row for row in done(rows) if row["task"] == task] for task in distinct(rows, "task")]
    found = [Finding(claim.text, [line for mine in by_task for line in _lines(claim, mine)]) for claim in CLAIMS]
    return [finding for finding in found if finding.lines]


def _lines(claim: Claim, rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """The line of a task, if it has cells at both places."""
    one, other = at(rows, claim.one), at(rows, claim.other)
    if not one or not other:
        return []
    difference = mean_of(one, "mean") - mean_of(other, "mean")
    error = sqrt(_variance(one) + _variance(other))
    losses = [f"{mean_of(cells, 'task_relation_loss'):.3f}" for cells in (one, other)]
    papers = [cells[0]["paper_score"] for cells in (one, other)]
    return [
        (
            f"{one[0]['task']}, {one[0]['metric']}",
            f"{mean_of(one, 'mean'):.1f}",
            f"{mean_of(other, 'mean'):.1f}",
            f"{difference:+.1f} ± {error:.1f}",
            " against ".join(losses) if claim.one[1] == claim.other[1] else "",
            f"{float(papers[0]) - float(papers[1]):+.1f}" if all(papers) else "",
            FOR if difference > 2 * error else AGAINST if difference < -2 * error else OPEN,
        )
    ]


def _variance(cells: Sequence[Row]) -> float:
    """Of a score: what comes of the rows, which all seeds share, and what of the seeds."""
    return mean_of(cells, "standard_error") ** 2 + mean_of(cells, "std") ** 2 / sum(int(row["seeds"]) for row in cells)
