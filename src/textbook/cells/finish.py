"""A cell after its distillation: adapt the student and its snapshots, and measure them."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from textbook.adaptation.adapt import adapt_encoder
from textbook.cells.cell import DISTILLED, LEAD, RESULT, SNAPSHOTS, STUDENT, TEST_SCORES
from textbook.cells.folder import Check, Clock, discarded_unless
from textbook.cells.job import CellJob
from textbook.cells.losses import LOSSES, measure_losses, read_losses
from textbook.evaluation.comparison import compare_with_others
from textbook.evaluation.held_out import scores_on_test
from textbook.evaluation.metrics import STANDARD_ERROR, summarize
from textbook.evaluation.predictions import PREDICTIONS
from textbook.files import read_json, remove, write_json
from textbook.training.engine.device import best_device
from textbook.training.engine.log import log_to_file, read_history


def finish_cell(job: CellJob, check: Check) -> dict[str, Any]:
    """Adapt and measure the distilled student of a cell, whose relation losses are measured already.

    Steps that were finished before are not repeated.

    Args:
        check: called after each step; if it fails, the cell's work is removed.

    Returns:
        The content of the cell's `result.json`, which is written last.

    Raises:
        UserError: the inputs of the cell have changed.
    """
    clock = Clock(job.folder)
    with discarded_unless(check, job.folder):
        if not (job.folder / STUDENT).is_dir():
            _adapt(job, job.folder / DISTILLED, job.folder / STUDENT)
    with discarded_unless(check, job.folder):
        _score_snapshots(job)
        figures = _measure(job)
    figures["seconds"] = round(clock.tick(), 1)
    remove(job.folder / LOSSES)
    write_json(job.folder / RESULT, figures)
    return figures


def _adapt(job: CellJob, encoder: Path, target: Path) -> None:
    """Adapt an encoder of the cell with every seed."""
    adapt_encoder(job.inputs.task_teacher, job.inputs.data, job.task, job.adapt, lambda _seed, _folder: encoder, target)


def _score_snapshots(job: CellJob) -> None:
    """Adapt and measure each snapshot of the distillation, and write a line for each to `snapshots.jsonl`.

    A snapshot after the last step of all is the student itself, which is adapted already.
    """
    history, temporary = job.folder / SNAPSHOTS, job.folder / "adapted"
    scored_steps = {line["step"] for line in read_history(history)} if history.is_file() else set()
    end = job.distill.steps if len(job.inputs.books) == 1 else None
    log = log_to_file(history)
    for snapshot in sorted((job.folder / DISTILLED / "snapshots").glob("*")):
        step = int(snapshot.name)
        if step in scored_steps:
            continue
        adapted = job.folder / STUDENT if step == end else temporary
        if adapted == temporary:
            _adapt(job, snapshot, adapted)
        scores = summarize(read_json(adapted / RESULT)["runs"])
        figures = {name: scores[name] for name in ("score", "score_std", STANDARD_ERROR)}
        log(step, {**figures, **measure_losses(job, [snapshot])[0]})
    remove(temporary)


def _measure(job: CellJob) -> dict[str, Any]:
    """The figures of the finished student."""
    scores = summarize(read_json(job.folder / STUDENT / RESULT)["runs"])
    teacher = summarize(read_json(job.inputs.task_teacher / RESULT)["runs"])
    return {
        **asdict(job.cell),
        "metric": job.task.metrics[0],
        "mean": scores["score"],
        "std": scores["score_std"],
        "standard_error": scores[STANDARD_ERROR],
        "scores": scores,
        "teacher_score": teacher["score"],
        **_lead(job),
        **_test_scores(job),
        **read_losses(job),
        "seeds": scores["seeds"],
        "steps": job.distill.steps,
        "batch": job.distill.batch,
        "device": str(best_device()),
    }


def _lead(job: CellJob) -> dict[str, float]:
    """The student's lead over its fine-tuned teacher on the same validation rows, in points."""
    teacher = {"teacher": job.inputs.task_teacher / PREDICTIONS}
    lead = compare_with_others(job.task.metrics[0], job.folder / STUDENT / PREDICTIONS, teacher)["teacher"]
    return dict(zip(LEAD, (lead[name] for name in ("value", "error", "low", "high", "p")), strict=True))


def _test_scores(job: CellJob) -> dict[str, float]:
    """The scores of the student and its fine-tuned teacher on the task's test split; none if it has no such split."""
    student, teacher = (
        scores_on_test(folder, job.task.metrics) for folder in (job.folder / STUDENT, job.inputs.task_teacher)
    )
    if not (student and teacher):
        return {}
    values = student["score"], student["score_std"], student[STANDARD_ERROR], teacher["score"]
    return dict(zip(TEST_SCORES, values, strict=True))
