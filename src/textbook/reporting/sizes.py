"""Parts of textbooks, compared with the largest one: which are large enough, and which are learnt by heart."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from textbook.evaluation.paired import Difference, holm
from textbook.reporting.cells import (
    LOSS,
    TEXTBOOK_LOSS,
    TEXTS,
    Comparisons,
    Row,
    difference,
    done,
    mean_of,
    score_interval,
)
from textbook.reporting.verdict import OFTEN, SIGNIFICANT

CHANGED = 1.02  # losses of parts that are read about once differ by a factor of 1.01 (docs/comparison.md)
_BOOK = ("task", "init", "teacher", "student", "textbook")
_LEAD = ("difference", "difference_low", "difference_high")


def size_rows(rows: Sequence[Row], comparisons: Comparisons) -> list[dict[str, Any]]:
    """Compare the parts of each textbook of which a sweep used several with the largest one.

    A difference is significant if its p-value is below 5 %, corrected by Holm's method for all differences of the
    table. A part counts as learnt by heart if the loss on it is lower than the largest part's, and the loss on the
    validation texts is higher, each by more than 2 %. The largest part is likely too small if it was read more than 10
    times.

    Args:
        rows: the rows of `reports/sweep.csv`.
        comparisons: paired differences. Without that of two places, their errors count as independent.

    Returns:
        The rows of `reports/sizes.csv`: one for each part, the largest of a textbook last. Figures are averaged over
        seeds of distillation. Intervals are of 95 %. `p` is corrected.
    """
    books: dict[tuple[str, ...], dict[float, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in done(rows):
        if row.get(TEXTS):
            books[tuple(row.get(name) or "" for name in _BOOK)][float(row["top_percent"])].append(row)
    several = [[parts[percent] for percent in sorted(parts)] for parts in books.values() if len(parts) > 1]
    leads = [[difference(part, parts[-1], comparisons)[0] for part in parts[:-1]] for parts in several]
    p_values = iter(holm([lead.p for of_book in leads for lead in of_book]))
    table = []
    for parts, of_book in zip(several, leads, strict=True):
        *smaller, largest = map(_figures, parts)
        for part, lead in zip(smaller, of_book, strict=True):
            p = next(p_values)
            figures = (round(value, 3) for value in (lead.value, *lead.interval))
            verdict = _verdict(part, largest, lead, p)
            table.append({**part, **dict(zip(_LEAD, figures, strict=True)), "p": float(f"{p:.3g}"), "verdict": verdict})
        verdict = "the largest, likely too small" if largest["times_read"] > OFTEN else "the largest"
        table.append({**largest, **dict.fromkeys((*_LEAD, "p")), "verdict": verdict})
    return table


def _figures(cells: Sequence[Row]) -> dict[str, Any]:
    """The figures of the students that read the same part of a textbook."""
    first, (score, half) = cells[0], score_interval(cells)
    texts = int(first[TEXTS])
    return {
        **{name: first.get(name) or "" for name in _BOOK},
        "top_percent": float(first["top_percent"]),
        TEXTS: texts,
        "times_read": round(int(first["steps"]) * int(first["batch"]) / texts, 2),
        "metric": first["metric"],
        "mean": round(score, 2),
        "mean_low": round(score - half, 2),
        "mean_high": round(score + half, 2),
        **{name: round(mean_of(cells, name), 4) for name in (TEXTBOOK_LOSS, LOSS)},
    }


def _verdict(part: Mapping[str, Any], largest: Mapping[str, Any], lead: Difference, p: float) -> str:
    again = part["times_read"] > 1  # otherwise there was more text than was read
    half = f"± {lead.interval[1] - lead.value:.1f}"
    if p >= SIGNIFICANT:
        verdict = f"as good as the largest ({lead.value:+.1f} {half})"
    elif lead.value > 0:
        verdict = f"better by {lead.value:.1f} {half}"
    else:
        verdict = f"worse by {-lead.value:.1f} {half}" + ": too small" * again
    by_heart = CHANGED * part[TEXTBOOK_LOSS] < largest[TEXTBOOK_LOSS] and part[LOSS] > CHANGED * largest[LOSS]
    return f"{verdict}, learnt by heart" if again and by_heart else verdict
