"""Curves as vector graphics that stand on a light or a dark page."""

from collections.abc import Mapping, Sequence
from io import StringIO

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator

INK = "#808080"  # readable on white and on black


def curve(series: Mapping[str, Sequence[tuple[float, float]]], x_label: str, y_label: str) -> str:
    """One SVG element with a line for each series of (x, y)."""
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "textbook", "font.size": 11}):
        figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
        for name, points in series.items():
            axes.plot(*zip(*points, strict=True), label=name, linewidth=1.8)
        axes.set_xlabel(x_label, color=INK)
        axes.set_ylabel(y_label, color=INK)
        axes.tick_params(colors=INK)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.2, color=INK)
        for side, spine in axes.spines.items():
            spine.set_visible(side in ("left", "bottom"))
            spine.set_color(INK)
        if len(series) > 1:
            axes.legend(frameon=False, labelcolor=INK)
        text = StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
        plt.close(figure)
    svg = text.getvalue()
    return svg[svg.index("<svg") :]
