"""The comparison of teacher, students and baselines, as rows of text."""

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
ON_TEST = "on test data"  # the column of scores on the test split
NOTE = (
    "The student's lead is its score minus that of the model, in points, with the 95 % confidence interval from paired"
    " bootstrap. The times of TF-IDF and of the embeddings include splitting the text into words or tokens; the others'"
    " do not."
)


def titles(figures: Mapping[str, Mapping[str, Any]], metric: Metric) -> dict[str, str]:
    """The titles of the models, in the order of the table; a file of an older version lacks some of them."""
    scale = metric in ("pearson", "spearman")
    linear = "ridge regression" if scale else "logistic regression"
    every = {
        "teacher": "teacher",
        "scratch": "student from scratch",
        "student": "distilled student",
        "onnx": "best student, int8 ONNX",
        "majority": "mean label" if scale else "majority class",
        "tfidf": f"TF-IDF + {linear}",
        "embeddings": f"teacher's embeddings + {linear}",
        "truncated_teacher": f"teacher cut to {figures.get('truncated_teacher', {}).get('layers')} layers",
    }
    return {name: title for name, title in every.items() if name in figures}


def columns(figures: Mapping[str, Mapping[str, Any]], metric: Metric) -> tuple[str, ...]:
    """The header of the comparison. It has a column for test scores if the task has a test split.

    Args:
        figures: the output of the stage `evaluate`, by name of the model.
        metric: the task's main metric, which is shown in percent.
    """
    test = (ON_TEST,) if _have_test(figures) else ()
    return ("model", LABELS[metric], *test, "parameters", "size", "CPU ms", "speed-up", "student's lead")


def comparison(figures: Mapping[str, Mapping[str, Any]], metric: Metric) -> list[tuple[str, ...]]:
    """One row of `columns` for each model.

    Args:
        figures: the output of the stage `evaluate`, by name of the model; `score` is the main metric in percent.
    """
    teacher_ms = figures["teacher"]["ms_per_sentence"]
    rows: list[tuple[str, ...]] = []
    for name, title in titles(figures, metric).items():
        figure = figures[name]
        rows.append(
            (
                title,
                _score(figure),
                *([_score(figure["test"])] if _have_test(figures) else []),
                f"{figure['parameters'] / 1e6:.1f} M",
                f"{figure['bytes'] / 1e6:.1f} MB",
                f"{figure['ms_per_sentence']:.1f}",
                "" if name == "majority" else f"{teacher_ms / figure['ms_per_sentence']:.1f}x",
                _lead(figure.get("paired")),
            )
        )
    return rows


def _have_test(figures: Mapping[str, Mapping[str, Any]]) -> bool:
    return "test" in figures["teacher"]


def _score(figure: Mapping[str, Any]) -> str:
    """A score, with its standard deviation if there are several seeds."""
    return f"{figure['score']:.1f}" + (f" ± {figure['score_std']:.1f}" if figure["seeds"] > 1 else "")


def _lead(paired: Mapping[str, float] | None) -> str:
    return "" if paired is None else f"{paired['value']:+.1f} [{paired['low']:.1f}, {paired['high']:.1f}]"


def cost_table(figures: Mapping[str, Mapping[str, Any]], metric: Metric) -> list[tuple[str, ...]]:
    """Operations by length, and times by batch size and length: a header, then one row for each network."""
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
        for name, title in titles(figures, metric).items()
        if "gflops" in figures[name]
    )
    return [head, *rows]
