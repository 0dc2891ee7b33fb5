"""SVG plots that are readable on a light and on a dark page."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import StringIO
from math import log10
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

INK = "#808080"  # readable on white and on black
ACCENT = "#1f77b4"
CLOSEST = 0.15  # labels of an axis, as a share of its length


def curve(series: Mapping[str, Sequence[tuple[float, float]]], x_label: str, y_label: str) -> str:
    """Draw one line for each series of (x, y), as one SVG element."""
    with _shared_style():
        figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
        for name, points in series.items():
            axes.plot(*zip(*points, strict=True), label=name, linewidth=1.8)
        _style_axes(axes, x_label)
        axes.set_ylabel(y_label, color=INK)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.2, color=INK)
        if len(series) > 1:
            axes.legend(frameon=False, labelcolor=INK)
        return _svg(figure)


def dots(panels: Mapping[str, Sequence[tuple[str, float, float | None]]], x_label: str) -> str:
    """Draw our values and the paper's as dots, as one SVG element with a panel for each title.

    Args:
        panels: the rows of each panel: label, our value in percent, the paper's value or None.
    """
    with _shared_style():
        height = 0.9 + 0.3 * max(map(len, panels.values()))
        figure, grid = plt.subplots(
            len(panels), squeeze=False, sharex=True, figsize=(7, height * len(panels)), layout="constrained"
        )
        for axes, (title, rows) in zip(grid[:, 0], panels.items(), strict=True):
            labels, our_values, paper_values = zip(*rows, strict=True)
            for name, values, color, face, text_x in (
                ("ours", our_values, ACCENT, ACCENT, 1.02),
                ("the paper", paper_values, INK, "none", 1.13),
            ):
                points = [(value, y) for y, value in enumerate(values) if value is not None]
                if points:
                    axes.scatter(*zip(*points, strict=True), facecolor=face, edgecolor=color, label=name)
                for value, y in points:  # right of the plot, where no dot can overlap the number
                    axes.text(text_x, y, f"{value:.1f}", transform=axes.get_yaxis_transform(), va="center", color=color)
            axes.legend(frameon=False, labelcolor=INK, loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2)
            axes.set_yticks(range(len(rows)), labels)
            axes.invert_yaxis()  # the first row on top
            axes.set_xlim(0, 105)
            axes.set_title(title, color=INK, loc="left", fontsize="medium")
            axes.grid(alpha=0.2, color=INK, axis="x")
            _style_axes(axes, x_label if axes is grid[-1, 0] else "")
        return _svg(figure)


def strips(panels: Mapping[str, Mapping[str, Mapping[str, float]]], x_label: str) -> str:
    """Draw rows of dots, one dot per series, as one SVG element with a panel for each title.

    Args:
        panels: for each title its rows by label, each with its values by name of the series.
    """
    with _shared_style():
        heights = [0.9 + 0.35 * len(rows) for rows in panels.values()]
        figure, grid = plt.subplots(
            len(panels),
            squeeze=False,
            sharex=True,
            figsize=(7, sum(heights)),
            height_ratios=heights,
            layout="constrained",
        )
        names = list(dict.fromkeys(name for rows in panels.values() for values in rows.values() for name in values))
        for axes, (title, rows) in zip(grid[:, 0], panels.items(), strict=True):
            for name, marker in zip(names, "oDs^v", strict=False):
                ys = [y for y, values in enumerate(rows.values()) if name in values]
                xs = [values[name] for values in rows.values() if name in values]
                axes.scatter(xs, ys, label=name, marker=marker, s=45, zorder=2)
            axes.set_yticks(range(len(rows)), list(rows))
            axes.set_ylim(len(rows) - 0.5, -0.5)  # the first row on top
            axes.set_title(title, color=INK, loc="left", fontsize="medium")
            axes.grid(alpha=0.2, color=INK)
            _style_axes(axes, x_label if axes is grid[-1, 0] else "")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, frameon=False, labelcolor=INK, loc="outside upper right", ncols=2)
        return _svg(figure)


class Point(NamedTuple):
    """A point of `scatter`; `best` points are filled and joined by a line."""

    label: str
    x: float
    y: float
    best: bool


def scatter(panels: Mapping[str, Sequence[Point]], y_label: str) -> str:
    """Draw labelled points, as one SVG element with a panel for each label of the x axis, which is logarithmic."""
    with _shared_style():
        height = max(2.8, 0.25 * max(map(len, panels.values())))  # room for the labels
        figure, grid = plt.subplots(len(panels), squeeze=False, figsize=(8, height * len(panels)), layout="constrained")
        for axes, (x_label, points) in zip(grid[:, 0], panels.items(), strict=True):
            best = sorted((point.x, point.y) for point in points if point.best)
            axes.plot(*zip(*best, strict=True), color=ACCENT, linewidth=1.2, alpha=0.6)
            axes.set_xscale("log")
            for point in points:
                face, edge = (ACCENT, ACCENT) if point.best else ("none", INK)
                axes.scatter(point.x, point.y, facecolor=face, edgecolor=edge, s=45, zorder=2)
            axes.margins(x=0.08, y=0.12)
            axes.set_ylabel(y_label, color=INK)
            axes.grid(alpha=0.2, color=INK)
            low, high = axes.get_xlim()
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if log10(high / low) < 3 else (1,)))
            axes.xaxis.set_major_formatter("{x:g}")
            axes.minorticks_off()  # a short axis would have their labels too, in powers of ten and in black
            _style_axes(axes, x_label)
            _label_at_the_side(axes, points)
        return _svg(figure)


class Size(NamedTuple):
    """A point of `by_size`: a part of a textbook, and the students that read it."""

    texts: int
    times_read: float
    score: float
    half: float
    """Half the width of the interval of the score."""
    validation_loss: float
    """Relation loss on the task's validation texts."""
    textbook_loss: float
    """Relation loss on the textbook."""


def by_size(books: Mapping[str, Sequence[Size]], y_label: str) -> str:
    """Draw scores and relation losses against the size of the textbook, which is logarithmic, as one SVG element.

    Args:
        books: the parts of each textbook by its name.
        y_label: of the scores.
    """
    with _shared_style():
        figure, (scores, losses) = plt.subplots(2, sharex=True, figsize=(7, 5), layout="constrained")
        for color, (name, sizes) in enumerate(books.items()):
            style: dict[str, Any] = {"color": f"C{color}", "marker": "o", "markersize": 5, "linewidth": 1.8}
            texts = [size.texts for size in sizes]
            errors = [size.half for size in sizes]
            scores.errorbar(texts, [size.score for size in sizes], errors, elinewidth=1.2, label=name, **style)
            losses.plot(texts, [size.validation_loss for size in sizes], **style)
            losses.plot(texts, [size.textbook_loss for size in sizes], linestyle="--", **style)
        for line, name in (("-", "on validation texts"), ("--", "on the textbook")):
            losses.plot([], [], line, color=INK, label=name)
        for axes, label in ((scores, y_label), (losses, "relation loss")):
            axes.set_ylabel(label, color=INK)
            axes.grid(alpha=0.2, color=INK)
            # above the panel, where no interval can overlap it
            axes.legend(frameon=False, labelcolor=INK, loc="lower left", bbox_to_anchor=(0, 0.98), ncols=3)
            _style_axes(axes, "texts, and how often each was read" if axes is losses else "")
        labels = {size.texts: f"{size.texts:,}\n{size.times_read:,.1f}x" for sizes in books.values() for size in sizes}
        ticks = _apart(labels)
        losses.set_xscale("log")
        losses.minorticks_off()
        losses.set_xticks(list(ticks), list(ticks.values()))
        return _svg(figure)


def _apart(labels: Mapping[int, str]) -> dict[int, str]:
    """The labels of a logarithmic axis without those that would overlap the one before."""
    least = (max(labels) / min(labels)) ** CLOSEST
    kept: dict[int, str] = {}
    for place in sorted(labels):
        if not kept or place >= max(kept) * least:
            kept[place] = labels[place]
    return kept


def _label_at_the_side(axes: Axes, points: Sequence[Point]) -> None:
    """Write the labels of points one below the other right of the plot, in their order from top to bottom."""
    for place, point in enumerate(sorted(points, key=lambda point: -point.y)):
        axes.annotate(
            point.label,
            (point.x, point.y),
            xytext=(1.06, 0.95 - 0.9 * place / max(1, len(points) - 1)),
            textcoords="axes fraction",
            va="center",
            fontsize="small",
            color=ACCENT if point.best else INK,
            # The line begins left of the label, at half its height.
            arrowprops={
                "arrowstyle": "-",
                "color": INK,
                "alpha": 0.4,
                "linewidth": 0.7,
                "shrinkB": 4,
                "relpos": (0, 0.5),
            },
        )


@contextmanager
def _shared_style() -> Iterator[None]:
    style: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "textbook", "font.size": 11}
    with plt.rc_context(style):
        yield


def _style_axes(axes: Axes, x_label: str) -> None:
    axes.set_xlabel(x_label, color=INK)
    axes.tick_params(colors=INK)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)


def _svg(figure: Figure) -> str:
    buffer = StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    plt.close(figure)
    svg = buffer.getvalue()
    return svg[svg.index("<svg") :]
