"""The report's section on one task."""

from collections.abc import Mapping
from typing import Any

from pipelines.paths import MODELS, TEXTBOOKS
from pipelines.sections.answers import answers, best_seed
from pipelines.sections.lineage import lineage
from pipelines.sections.making import making_table
from pipelines.worth import concern
from textbook.files import read_json
from textbook.params import Metric, Params
from textbook.reporting.curves import curve
from textbook.reporting.front import Models, front_figure, smallest_close
from textbook.reporting.headline import headline
from textbook.reporting.page import TaskSection
from textbook.reporting.samples import shown
from textbook.reporting.shapes import NOTE
from textbook.reporting.table import LABELS, columns, comparison, cost_table
from textbook.reporting.verdict import verdict
from textbook.textbooks.book import read_book
from textbook.training.engine.log import read_history

EXAMPLES = 8


def task_section(params: Params, task: str, figures: Mapping[str, Mapping[str, Any]], shapes: Models) -> TaskSection:
    """Read all that the report says of a task.

    Args:
        figures: the output of the stage `evaluate`, by name of the model.
        shapes: the best student of each shape in the last sweep.

    Raises:
        UserError: an output of a stage is damaged, or was made for other validation data.
    """
    kind, *_ = params.distill.textbook.split("+")
    metric = params.task(task).metrics[0]
    confusions, mistakes = answers(params, task)
    return TaskSection(
        task=task,
        headline=headline(figures, metric),
        concern=concern(params, task, figures),
        verdict=verdict(figures, metric),
        gain=figures["student"]["score"] - figures["scratch"]["score"],
        front=front_figure(figures, metric, shapes),
        smallest=smallest_close(figures, metric, shapes) + f" {NOTE}" * bool(shapes),
        rows=[columns(figures, metric), *comparison(figures, metric)],
        confusions=confusions,
        mistakes=mistakes,
        curves=_curves(task, metric),
        kind=kind,
        textbook=read_json(TEXTBOOKS / task / f"{kind}.json"),
        examples=_examples(task, kind),
        costs=cost_table(figures, metric),
        making=making_table(params, task),
        lineage=lineage(task),
    )


def _curves(task: str, metric: Metric) -> dict[str, str]:
    """The learning curves by caption: the distillation, and fine-tuning on the task by epoch."""
    models = MODELS / task
    distilled = read_history(models / "distilled" / "history.jsonl")
    paths = {
        "teacher": models / "teacher" / "history.jsonl",
        "distilled student": models / "student" / f"history-{best_seed(task, 'student')}.jsonl",
        "student from scratch": models / "scratch" / f"history-{best_seed(task, 'scratch')}.jsonl",
    }
    epochs = {name: [(line["step"], 100 * line[metric]) for line in read_history(path)] for name, path in paths.items()}
    return {
        "Distillation: the student's relation loss on the textbook. Lower is closer to the teacher.": (
            curve({"loss": [(line["step"], line["loss"]) for line in distilled]}, "step", "relation loss")
        ),
        f"Fine-tuning on the task: {LABELS[metric]} on validation data in percent, best seed of each model": (
            curve(epochs, "epoch", f"{LABELS[metric]}, %")
        ),
    }


def _examples(task: str, kind: str) -> list[str]:
    """Texts of a textbook, evenly spaced from first to last."""
    first, second = read_book(TEXTBOOKS / task / f"{kind}.parquet")
    step = -(-len(first) // EXAMPLES)
    return shown(first[::step], second and second[::step])
