"""The comparison of teacher and students, as rows of text."""

from collections.abc import Mapping
from typing import Any

from textbook.params import Metric

LABELS: dict[Metric, str] = {
    "accuracy": "accuracy",
    "f1": "F1",
    "macro_f1": "macro F1",
    "matthews": "Matthews",
    "pearson": "Pearson",
    "spearman": "Spearman",
}
TITLES = {
    "teacher": "teacher",
    "scratch": "student from scratch",
    "student": "distilled student",
    "onnx": "best student, int8 ONNX",
}


def columns(metric: Metric) -> tuple[str, ...]:
    """The header of the comparison.

    Args:
        metric: the task's main metric, which is shown in percent.
    """
    return ("model", LABELS[metric], "parameters", "size", "CPU ms", "speed-up")


def comparison(figures: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """One row of `columns` for each model.

    Args:
        figures: the output of the stage `evaluate`, by name of the model; `score` is the main metric in percent.
    """
    teacher_ms = figures["teacher"]["ms_per_sentence"]
    rows: list[tuple[str, ...]] = []
    for name, title in TITLES.items():
        figure = figures[name]
        spread = f" ± {figure['score_std']:.1f}" if figure["seeds"] > 1 else ""
        rows.append(
            (
                title,
                f"{figure['score']:.1f}{spread}",
                f"{figure['parameters'] / 1e6:.1f} M",
                f"{figure['bytes'] / 1e6:.1f} MB",
                f"{figure['ms_per_sentence']:.1f}",
                f"{teacher_ms / figure['ms_per_sentence']:.1f}x",
            )
        )
    return rows


def cost_table(figures: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Operations by length, and times by batch size and length: a header, then one row for each model."""
    lengths, shapes = figures["teacher"]["gflops"], figures["teacher"]["ms"]
    head = (
        "model",
        *(f"GFLOPs, {length} tokens" for length in lengths),
        *(f"ms/sentence, {shape.replace('x', ' x ')}" for shape in shapes),
    )
    rows = (
        (
            title,
            *(f"{figures[name]['gflops'][length]:.2f}" for length in lengths),
            *(f"{figures[name]['ms'][shape]:.2f}" for shape in shapes),
        )
        for name, title in TITLES.items()
    )
    return [head, *rows]
