"""The paper's claims (sections 4 and 5, Table 2), each held against the grid of a sweep."""

from collections.abc import Sequence
from dataclasses import dataclass

from textbook.reporting.cells import DECISIVE, LOSS, Place, Row, at, difference, distinct, done, mean_of, number
from textbook.reporting.paper import beside_paper

FOR, AGAINST, OPEN = "for", "against", "undecided"
PAPER = "paper_score"
HEAD = (
    "task",
    "the one",
    "the other",
    "difference",
    "room",
    "relation loss",
    "paper's",
    "verdict",
)


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
GENERAL_FROM_GENERAL: Place = ("general", "task", "general")
CONTEXTUALIZED_FROM_GENERAL: Place = ("general", "task", "contextualized")
TINYBERT: Place = ("general", "task", "augmented")

CLAIMS = (
    Claim("The contextualized textbook teaches better than the general one.", CONTEXTUALIZED, GENERAL),
    Claim("It does so too where the teacher has not been fine-tuned,", CONTEXTUALIZED_BY_GENERAL, GENERAL_BY_GENERAL),
    Claim("and from a general init.", CONTEXTUALIZED_FROM_GENERAL, GENERAL_FROM_GENERAL),
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
    """A claim, what the tasks say of it together, and a line of `HEAD` for each whose grid has both places."""

    claim: str
    verdict: str
    lines: Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class _Comparison:
    """The two places of a claim on one task."""

    one: Sequence[Row]
    other: Sequence[Row]

    @property
    def is_(self) -> str:
        ahead, error = difference(self.one, self.other)
        return FOR if ahead > DECISIVE * error else AGAINST if ahead < -DECISIVE * error else OPEN

    @property
    def losses(self) -> tuple[float, float] | None:
        """Relation losses of the two; None where different teachers taught, for then they are on different scales."""
        rows = [*self.one, *self.other]
        if len({row["teacher"] for row in rows}) > 1 or not all(row.get(LOSS) for row in rows):
            return None
        return mean_of(self.one, LOSS), mean_of(self.other, LOSS)


def findings(rows: Sequence[Row]) -> list[Finding]:
    """What a sweep says of each claim that it has cells for.

    A difference of less than twice its error decides nothing; and a textbook can gain little more than the room that
    the other student leaves below its teacher. The relation losses are on the task's validation texts, which no
    textbook has a part of.

    Args:
        rows: those of the sweep's table.
    """
    rows = beside_paper("table2", [dict(row) for row in rows])
    by_task = [[row for row in done(rows) if row["task"] == task] for task in distinct(rows, "task")]
    found = []
    for claim in CLAIMS:
        pairs = [_Comparison(at(mine, claim.one), at(mine, claim.other)) for mine in by_task]
        if pairs := [pair for pair in pairs if pair.one and pair.other]:
            found.append(Finding(claim.text, _verdict(pairs), [_line(pair) for pair in pairs]))
    return found


def _verdict(pairs: Sequence[_Comparison]) -> str:
    """In how many tasks the scores are for a claim, against it or undecided, and in how many the relation loss is."""
    verdicts = [pair.is_ for pair in pairs]
    counts = ", ".join(f"{verdict} in {verdicts.count(verdict)}" for verdict in (FOR, AGAINST, OPEN))
    losses = [pair.losses for pair in pairs if pair.losses]
    lower = sum(one < other for one, other in losses)
    nearer = f"; the relation loss is lower in {lower} of {len(losses)}" if losses else ""
    return f"Of {len(pairs)} task{'s' * (len(pairs) > 1)}: {counts}{nearer}."


def _line(pair: _Comparison) -> tuple[str, ...]:
    one, other = pair.one[0], pair.other[0]
    teacher = number(other, "teacher_score")
    ahead, error = difference(pair.one, pair.other)
    return (
        f"{one['task']}, {one['metric']}",
        f"{mean_of(pair.one, 'mean'):.1f}",
        f"{mean_of(pair.other, 'mean'):.1f}",
        f"{ahead:+.1f} ± {error:.1f}",
        "" if teacher is None else f"{teacher - mean_of(pair.other, 'mean'):.1f}",
        " against ".join(f"{loss:.3f}" for loss in pair.losses or ()),
        f"{float(one[PAPER]) - float(other[PAPER]):+.1f}" if one[PAPER] and other[PAPER] else "",
        pair.is_,
    )
