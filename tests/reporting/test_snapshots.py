from textbook.reporting.snapshots import snapshot_curves

PLACE = {"task": "films", "init": "random", "teacher": "task", "textbook": "contextualized", "metric": "accuracy"}


def row(part, step, score, seed="0"):
    found = {"top_percent": part, "step": step, "score": score, "task_relation_loss": "0.5", "run_id": f"r{seed}"}
    return {**PLACE, **found, "seed": seed}


def test_each_cell_has_a_figure_for_its_score_and_one_for_its_loss_with_a_line_for_each_part():
    rows = [row(part, step, "80.0") for part in ("20.0", "100.0") for step in ("50", "100")]
    score, loss = snapshot_curves([*rows, *(row("20.0", step, "90.0", "1") for step in ("50", "100"))]).items()
    assert score[0] == "films · random · task · contextualized: accuracy on validation data (runs r0, r1)"
    assert loss[0].startswith("films · random · task · contextualized: relation loss on the task's own training texts")
    for name in ("top 20 %", "top 100 %", "step of distillation", "accuracy"):
        assert name in score[1]
    assert score[1].startswith("<svg")


def test_without_snapshots_there_is_no_figure():
    assert snapshot_curves([]) == {}
