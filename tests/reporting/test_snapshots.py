from textbook.reporting.snapshots import snapshot_curves

PLACE = {"task": "films", "init": "random", "teacher": "task", "textbook": "contextualized"}
PLACE |= {"metric": "accuracy", "steps": "100"}


def row(part, step, score, seed="0", **more):
    found = {"top_percent": part, "step": step, "score": score, "validation_relation_loss": "0.5"}
    return {**PLACE, **found, "run_id": f"r{seed}", "seed": seed, **more}


def test_a_task_has_a_figure_for_its_score_and_one_for_its_loss_with_a_line_for_each_textbook_and_part():
    rows = [row(part, step, "80.0") for part in ("20.0", "100.0") for step in ("50", "100")]
    rows += [row("20.0", step, "90.0", "1") for step in ("50", "100")]
    rows += [row("100.0", step, "70.0", textbook="general") for step in ("50", "100")]
    score, loss = snapshot_curves(rows).items()
    assert score[0] == "films · random · task · 100 steps: accuracy on validation data (runs r0, r1)"
    assert loss[0].startswith("films · random · task · 100 steps: relation loss on the task's validation texts")
    for name in ("contextualized, top 20 %", ">contextualized<", ">general<", "step of distillation", "accuracy"):
        assert name in score[1]
    assert score[1].startswith("<svg")


def test_without_snapshots_there_is_no_figure():
    assert snapshot_curves([]) == {}
