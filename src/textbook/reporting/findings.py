"""The paper's claims (sections 4 and 5, Table 2), each tested on the grid of a sweep."""

from collections.abc import Sequence
from dataclasses import dataclass

from textbook.evaluation.paired import Difference, holm, pooled_difference
from textbook.reporting.cells import (
    LOSS,
    Comparisons,
    Place,
    Row,
    at,
    difference,
    distinct,
    done,
    mean_of,
    number,
)
from textbook.reporting.paper import beside_paper
from textbook.reporting.verdict import SIGNIFICANT

SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"
PAPER_SCORE = "paper_score"
HEAD = (
    "task",
    "score",
    "compared with",
    "difference",
    "p",
    "verdict",  # before what a narrow page hides
    "headroom",
    "relation losses",
    "paper's difference",
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
    difference: Difference
    paired: bool

    @property
    def losses(self) -> tuple[float, float] | None:
        """Both relation losses; None if the teachers differ, because then their scales differ."""
        rows = [*self.first, *self.second]
        if len({row["teacher"] for row in rows}) > 1 or not all(row.get(LOSS) for row in rows):
            return None
        return mean_of(self.first, LOSS), mean_of(self.second, LOSS)


def findings(rows: Sequence[Row], comparisons: Comparisons | None = None) -> list[Finding]:
    """Test each claim for which a sweep has cells.

    A claim is decided where the p-value of the difference is below 5 %, corrected by Holm's method for all differences
    of all claims and tasks. Over several tasks, it is decided by the mean of their paired differences, corrected for
    the number of claims. The headroom is the distance from the second score to the teacher's; a textbook can hardly
    gain more. The relation losses are on the task's validation texts, which no textbook contains.

    Args:
        rows: the rows of the sweep's table.
        comparisons: paired differences. Without that of two places, their errors count as independent.
    """
    rows = beside_paper("table2", [dict(row) for row in rows])
    rows_by_task = [[row for row in done(rows) if row["task"] == task] for task in distinct(rows, "task")]
    tested = []
    for claim in CLAIMS:
        places = [(at(task_rows, claim.first), at(task_rows, claim.second)) for task_rows in rows_by_task]
        if both := [pair for pair in places if all(pair)]:
            tested.append((claim.text, [_Comparison(*pair, *difference(*pair, comparisons or {})) for pair in both]))
    p_values = iter(holm([pair.difference.p for _, pairs in tested for pair in pairs]))
    pooled = [_pooled(pairs) for _, pairs in tested]
    pooled_p = iter(holm([over_tasks.p for over_tasks in pooled if over_tasks]))
    results = []
    for (claim_text, pairs), over_tasks in zip(tested, pooled, strict=True):
        lines = [_line(pair, next(p_values)) for pair in pairs]
        text = _verdict(pairs, [line[HEAD.index("verdict")] for line in lines])
        if over_tasks:
            text += _over_tasks(over_tasks, next(pooled_p))
        results.append(Finding(claim_text, text, lines))
    return results


def _pooled(pairs: Sequence[_Comparison]) -> Difference | None:
    """The mean difference over several tasks; None for a single task, or if a difference is not paired."""
    if len(pairs) == 1 or not all(pair.paired for pair in pairs):
        return None
    return pooled_difference([pair.difference for pair in pairs])


def _decide(found: Difference, p: float) -> str:
    return UNDECIDED if p >= SIGNIFICANT else SUPPORTED if found.value > 0 else CONTRADICTED


def _verdict(pairs: Sequence[_Comparison], verdicts: Sequence[str]) -> str:
    """The number of tasks whose scores support a claim, contradict it or leave it undecided, and of lower losses."""
    supported, contradicted, undecided = map(verdicts.count, (SUPPORTED, CONTRADICTED, UNDECIDED))
    losses = [pair.losses for pair in pairs if pair.losses]
    lower = sum(first < second for first, second in losses)
    tasks = f"{len(pairs)} task{'s' * (len(pairs) > 1)}"
    loss_part = f"; the relation loss is lower in {lower} of {len(losses)}" if losses else ""
    return f"Supported in {supported} of {tasks}, contradicted in {contradicted}, undecided in {undecided}{loss_part}."


def _over_tasks(found: Difference, p: float) -> str:
    return f" Over all tasks: {_interval(found)} points, p = {p_text(p)}: {_decide(found, p)}."


def _interval(found: Difference) -> str:
    low, high = found.interval
    return f"{found.value:+.1f} [{low:.1f}, {high:.1f}]"


def p_text(p: float) -> str:
    """A p-value in a table."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _line(pair: _Comparison, p: float) -> tuple[str, ...]:
    first, second, found = pair.first[0], pair.second[0], pair.difference
    second_score, teacher_score = mean_of(pair.second, "mean"), number(second, "teacher_score")
    papers = first[PAPER_SCORE], second[PAPER_SCORE]
    return (
        f"{first['task']}, {first['metric']}",
        f"{mean_of(pair.first, 'mean'):.1f}",
        f"{second_score:.1f}",
        _interval(found) if pair.paired else f"{found.value:+.1f} ± {found.error:.1f}",
        p_text(p),
        _decide(found, p),
        "" if teacher_score is None else f"{teacher_score - second_score:.1f}",
        " vs. ".join(f"{loss:.3f}" for loss in pair.losses or ()),
        f"{float(papers[0]) - float(papers[1]):+.1f}" if all(papers) else "",
    )
