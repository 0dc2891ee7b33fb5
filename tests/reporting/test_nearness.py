"""The plot of relative relation losses."""

from textbook.reporting.nearness import nearness


def row(task, textbook, loss, teacher="task", mean="80.0"):
    place = {"task": task, "init": "random", "teacher": teacher, "textbook": textbook}
    return {**place, "mean": mean, "validation_relation_loss": loss}


GENERAL, CONTEXTUALIZED = row("sst2", "general", "0.8"), row("sst2", "contextualized", "0.6")


def test_each_init_and_teacher_has_a_panel_with_its_tasks_and_textbooks():
    svg = nearness(
        [GENERAL, CONTEXTUALIZED, *(row("cola", book, "0.5", "general") for book in ("general", "augmented"))]
    )
    assert svg.startswith("<svg")
    for text in ("init random, teacher task", "init random, teacher general", "sst2", "cola", "contextualized"):
        assert f">{text}<" in svg


def test_a_task_needs_the_general_textbook_and_another_one():
    assert ">cola<" not in nearness([GENERAL, CONTEXTUALIZED, row("cola", "contextualized", "0.5")])
    assert nearness([GENERAL, row("cola", "contextualized", "0.5")]) == ""


def test_cells_without_a_loss_are_left_out():
    assert nearness([row("sst2", "general", ""), CONTEXTUALIZED]) == ""
    assert nearness([GENERAL, {**CONTEXTUALIZED, "mean": ""}]) == ""
