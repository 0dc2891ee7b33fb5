"""The paper's claims (sections 4 and 5, Table 2), each tested on the grid of a sweep."""

from collections.abc import Sequence
from dataclasses import dataclass

from textbook.reporting.cells import DECISIVE, LOSS, Place, Row, at, difference, distinct, done, mean_of, number
from textbook.reporting.paper import beside_paper

SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"
PAPER_SCORE = "paper_score"
HEAD = (
    "task",
    "score",
    "compared with",
    "difference",
    "headroom",
    "relation losses",
    "paper's difference",
    "verdict",
)


@dataclass(frozen=True)
class Claim:
    """The claim that students at one place in the grid score higher than students at another."""

    text: str
    first: Place
    """The place that the claim puts ahead."""
    second: Place
    """The place that it is compared with."""


# Places in the grid: init, teacher, textbook.
GENERAL: Place = ("random", "task", "general")
AUGMENTED: Place = ("random", "task", "augmented")
CONTEXTUALIZED: Place = ("random", "task", "contextualized")
BOTH: Place = ("random", "task", "contextualized+augmented")
GENERAL_BY_GENERAL: Place = ("random", "general", "general")
CONTEXTUALIZED_BY_GENERAL: Place = ("random", "general", "contextualized")
GENERAL_FROM_GENERAL: Place = ("general", "task", "general")
CONTEXTUALIZED_FROM_GENERAL: Place = ("general", "task", "contextualized")
TINYBERT: Place = ("general", "task", "augmented")

CLAIMS = (
    Claim("The contextualized textbook teaches better than the general one.", CONTEXTUALIZED, GENERAL),
    Claim(
        "With a teacher that is not fine-tuned, the contextualized textbook teaches better than the general one.",
        CONTEXTUALIZED_BY_GENERAL,
        GENERAL_BY_GENERAL,
    ),
    Claim(
        "From a general init, the contextualized textbook teaches better than the general one.",
        CONTEXTUALIZED_FROM_GENERAL,
        GENERAL_FROM_GENERAL,
    ),
    Claim("The contextualized textbook teaches better than the augmented one (TaskDA).", CONTEXTUALIZED, AUGMENTED),
    Claim(
        "With the contextualized textbook, a random init does as well as a general one, so general distillation is "
        "dispensable.",
        CONTEXTUALIZED,
        CONTEXTUALIZED_FROM_GENERAL,
    ),
    Claim(
        "On the general textbook, a teacher fine-tuned on the task teaches better than a general one.",
        GENERAL,
        GENERAL_BY_GENERAL,
    ),
    Claim(
        "On the contextualized textbook, a teacher fine-tuned on the task teaches better than a general one.",
        CONTEXTUALIZED,
        CONTEXTUALIZED_BY_GENERAL,
    ),
    Claim("A second stage on the augmented textbook improves on the contextualized one alone.", BOTH, CONTEXTUALIZED),
    Claim(
        "The contextualized textbook alone beats TinyBERT's recipe: general distillation, then augmented text.",
        CONTEXTUALIZED,
        TINYBERT,
    ),
)


@dataclass(frozen=True)
class Finding:
    """A claim, its verdict over all tasks, and a line of `HEAD` for each task that has cells at both places."""

    claim: str
    verdict: str
    lines: Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class _Comparison:
    """The cells at the two places of a claim, on one task."""

    first: Sequence[Row]
    second: Sequence[Row]

    @property
    def verdict(self) -> str:
        lead, error = difference(self.first, self.second)
        return SUPPORTED if lead > DECISIVE * error else CONTRADICTED if lead < -DECISIVE * error else UNDECIDED

    @property
    def losses(self) -> tuple[float, float] | None:
        """Both relation losses; None if the teachers differ, because then their scales differ."""
        rows = [*self.first, *self.second]
        if len({row["teacher"] for row in rows}) > 1 or not all(row.get(LOSS) for row in rows):
            return None
        return mean_of(self.first, LOSS), mean_of(self.second, LOSS)


def findings(rows: Sequence[Row]) -> list[Finding]:
    """Test each claim for which a sweep has cells.

    A difference below twice its standard error leaves a claim undecided. The headroom is the distance from the second
    score to the teacher's; a textbook can hardly gain more. The relation losses are on the task's validation texts,
    which no textbook contains.

    Args:
        rows: the rows of the sweep's table.
    """
    rows = beside_paper("table2", [dict(row) for row in rows])
    rows_by_task = [[row for row in done(rows) if row["task"] == task] for task in distinct(rows, "task")]
    results = []
    for claim in CLAIMS:
        pairs = [_Comparison(at(task_rows, claim.first), at(task_rows, claim.second)) for task_rows in rows_by_task]
        if pairs := [pair for pair in pairs if pair.first and pair.second]:
            results.append(Finding(claim.text, _verdict(pairs), [_line(pair) for pair in pairs]))
    return results


def _verdict(pairs: Sequence[_Comparison]) -> str:
    """The number of tasks whose scores support a claim, contradict it or leave it undecided, and of lower losses."""
    verdicts = [pair.verdict for pair in pairs]
    supported, contradicted, undecided = map(verdicts.count, (SUPPORTED, CONTRADICTED, UNDECIDED))
    losses = [pair.losses for pair in pairs if pair.losses]
    lower = sum(first < second for first, second in losses)
    tasks = f"{len(pairs)} task{'s' * (len(pairs) > 1)}"
    loss_part = f"; the relation loss is lower in {lower} of {len(losses)}" if losses else ""
    return f"Supported in {supported} of {tasks}, contradicted in {contradicted}, undecided in {undecided}{loss_part}."


def _line(pair: _Comparison) -> tuple[str, ...]:
    first, second = pair.first[0], pair.second[0]
    first_score, second_score = mean_of(pair.first, "mean"), mean_of(pair.second, "mean")
    teacher_score = number(second, "teacher_score")
    lead, error = difference(pair.first, pair.second)
    papers = first[PAPER_SCORE], second[PAPER_SCORE]
    return (
        f"{first['task']}, {first['metric']}",
        f"{first_score:.1f}",
        f"{second_score:.1f}",
        f"{lead:+.1f} ± {error:.1f}",
        "" if teacher_score is None else f"{teacher_score - second_score:.1f}",
        " vs. ".join(f"{loss:.3f}" for loss in pair.losses or ()),
        f"{float(papers[0]) - float(papers[1]):+.1f}" if all(papers) else "",
        pair.verdict,
    )
