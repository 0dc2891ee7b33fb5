"""Plots of the snapshots by step."""

from textbook.reporting.snapshots import snapshot_curves

PLACE = {"task": "films", "init": "random", "teacher": "task", "textbook": "contextualized"}
PLACE |= {"metric": "accuracy", "steps": "100"}


def row(percent, step, score, seed="0", **more):
    figures = {"top_percent": percent, "step": step, "score": score, "validation_relation_loss": "0.5"}
    return {**PLACE, **figures, "run_id": f"r{seed}", "seed": seed, **more}


def test_a_task_has_a_plot_of_scores_and_one_of_losses_with_a_line_for_each_textbook_and_part():
    rows = [row(percent, step, "80.0") for percent in ("20.0", "100.0") for step in ("50", "100")]
    rows += [row("20.0", step, "90.0", "1") for step in ("50", "100")]
    rows += [row("100.0", step, "70.0", textbook="general") for step in ("50", "100")]
    score, loss = snapshot_curves(rows).items()
    assert score[0] == "films · random · task · 100 steps: accuracy on validation data (runs r0, r1)"
    assert loss[0].startswith("films · random · task · 100 steps: relation loss on the task's validation texts")
    for name in ("contextualized, top 20 %", ">contextualized<", ">general<", "step of distillation", "accuracy"):
        assert name in score[1]
    assert score[1].startswith("<svg")


def test_without_snapshots_there_is_no_plot():
    assert snapshot_curves([]) == {}
