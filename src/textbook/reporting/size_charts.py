"""Charts and tables of `reports/sizes.csv`: scores and relation losses by the size of the textbook."""

from collections.abc import Sequence
from dataclasses import dataclass

from textbook.reporting.cells import LOSS, TEXTBOOK_LOSS, TEXTS, Row, distinct, part_name, setting_name
from textbook.reporting.curves import Size, by_size
from textbook.reporting.findings import p_text

HEAD = (
    "textbook",
    "against the largest part",
    "p",
    "texts",
    "times read",
    "score",
    "loss on the textbook",
    "loss on validation texts",
)


@dataclass(frozen=True)
class SizeChart:
    """The parts of the textbooks for one task, init, teacher and shape of the student."""

    title: str
    figure: str
    """An SVG element."""
    lines: Sequence[tuple[str, ...]]
    """`HEAD`, then one line for each part."""


def size_charts(rows: Sequence[Row]) -> list[SizeChart]:
    """One chart for each task, init, teacher and shape of the student.

    Args:
        rows: the rows of `reports/sizes.csv`.
    """
    charts: dict[str, list[Row]] = {}
    for row in rows:
        charts.setdefault(setting_name(row), []).append(row)
    return [_chart(title, chart_rows) for title, chart_rows in charts.items()]


def _chart(title: str, rows: Sequence[Row]) -> SizeChart:
    books = {book: [_size(row) for row in rows if row["textbook"] == book] for book in distinct(rows, "textbook")}
    return SizeChart(title, by_size(books, f"{rows[0]['metric']}, %"), [HEAD, *map(_line, rows)])


def _size(row: Row) -> Size:
    score = float(row["mean"])
    return Size(
        int(row[TEXTS]),
        float(row["times_read"]),
        score,
        float(row["mean_high"]) - score,
        validation_loss=float(row[LOSS]),
        textbook_loss=float(row[TEXTBOOK_LOSS]),
    )


def _line(row: Row) -> tuple[str, ...]:
    size = _size(row)
    return (
        part_name(row).replace(" %", "\u00a0%"),  # on one line of a narrow page
        row["verdict"],
        p_text(float(row["p"])) if row["p"] else "",
        f"{size.texts:,}",
        f"{size.times_read:,.1f}",
        f"{size.score:.1f} ± {size.half:.1f}",
        f"{size.textbook_loss:.3f}",
        f"{size.validation_loss:.3f}",
    )
