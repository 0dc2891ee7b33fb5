"""Curves and dots as vector graphics that stand on a light or a dark page."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import Any

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

INK = "#808080"  # readable on white and on black
ACCENT = "#1f77b4"


def curve(series: Mapping[str, Sequence[tuple[float, float]]], x_label: str, y_label: str) -> str:
    """One SVG element with a line for each series of (x, y)."""
    with _house_style():
        figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
        for name, points in series.items():
            axes.plot(*zip(*points, strict=True), label=name, linewidth=1.8)
        _dress(axes, x_label)
        axes.set_ylabel(y_label, color=INK)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.2, color=INK)
        if len(series) > 1:
            axes.legend(frameon=False, labelcolor=INK)
        return _svg(figure)


def dots(panels: Mapping[str, Sequence[tuple[str, float, float | None]]], x_label: str) -> str:
    """One SVG element with a panel for each title: a line for each (label, ours in percent, the paper's or None)."""
    with _house_style():
        height = 0.9 + 0.3 * max(map(len, panels.values()))
        figure, grid = plt.subplots(
            len(panels), squeeze=False, sharex=True, figsize=(7, height * len(panels)), layout="constrained"
        )
        for axes, (title, lines) in zip(grid[:, 0], panels.items(), strict=True):
            labels, ours, papers = zip(*lines, strict=True)
            for name, values, color, face, shift in (
                ("ours", ours, ACCENT, ACCENT, 1.02),
                ("the paper", papers, INK, "none", 1.13),
            ):
                known = [(value, place) for place, value in enumerate(values) if value is not None]
                if known:
                    axes.scatter(*zip(*known, strict=True), facecolor=face, edgecolor=color, label=name)
                for value, place in known:  # in a column of its own, where no dot is in the way
                    axes.text(
                        shift, place, f"{value:.1f}", transform=axes.get_yaxis_transform(), va="center", color=color
                    )
            axes.legend(frameon=False, labelcolor=INK, loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2)
            axes.set_yticks(range(len(lines)), labels)
            axes.invert_yaxis()  # the first line on top
            axes.set_xlim(0, 105)
            axes.set_title(title, color=INK, loc="left", fontsize="medium")
            axes.grid(alpha=0.2, color=INK, axis="x")
            _dress(axes, x_label if axes is grid[-1, 0] else "")
        return _svg(figure)


def strips(panels: Mapping[str, Mapping[str, Mapping[str, float]]], x_label: str) -> str:
    """One SVG element with a panel for each title: a line for each label, with a dot for each series on it."""
    with _house_style():
        heights = [0.9 + 0.35 * len(lines) for lines in panels.values()]
        figure, grid = plt.subplots(
            len(panels),
            squeeze=False,
            sharex=True,
            figsize=(7, sum(heights)),
            height_ratios=heights,
            layout="constrained",
        )
        names = list(dict.fromkeys(name for lines in panels.values() for found in lines.values() for name in found))
        for axes, (title, lines) in zip(grid[:, 0], panels.items(), strict=True):
            for name, marker in zip(names, "oDs^v", strict=False):
                places = [place for place, found in enumerate(lines.values()) if name in found]
                values = [found[name] for found in lines.values() if name in found]
                axes.scatter(values, places, label=name, marker=marker, s=45, zorder=2)
            axes.set_yticks(range(len(lines)), list(lines))
            axes.set_ylim(len(lines) - 0.5, -0.5)  # the first line on top
            axes.set_title(title, color=INK, loc="left", fontsize="medium")
            axes.grid(alpha=0.2, color=INK)
            _dress(axes, x_label if axes is grid[-1, 0] else "")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, frameon=False, labelcolor=INK, loc="outside upper right", ncols=2)
        return _svg(figure)


@contextmanager
def _house_style() -> Iterator[None]:
    style: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "textbook", "font.size": 11}
    with plt.rc_context(style):
        yield


def _dress(axes: Axes, x_label: str) -> None:
    axes.set_xlabel(x_label, color=INK)
    axes.tick_params(colors=INK)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)


def _svg(figure: Figure) -> str:
    text = StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    plt.close(figure)
    svg = text.getvalue()
    return svg[svg.index("<svg") :]
