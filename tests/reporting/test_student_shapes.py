"""The table of shapes, beside figures made by hand."""

from textbook.reporting.shapes import shape_tables


def cell(student, mean, textbook="general", **changes):
    return {
        "task": "sst2",
        "init": "random",
        "teacher": "task",
        "textbook": textbook,
        "top_percent": "100.0",
        "student": student,
        "metric": "accuracy",
        "mean": mean,
        "std": "0.6",
        "standard_error": "0.4",
        "seeds": "2",
        "teacher_score": "84.0",
        **changes,
    }


def test_each_shape_has_a_line_with_its_scores_and_intervals():
    rows = [
        cell("tiny", "70.0"),
        cell("tiny", "72.0"),  # of another seed of distillation
        cell("tiny", "60.0", top_percent="20.0"),
        cell("small", "80.0", "contextualized"),
        cell("small", "", state="failed"),
        cell("small", "81.0", task="own", teacher_score=""),
    ]
    sst2, own = shape_tables(rows)
    assert (sst2.task, sst2.metric, sst2.teacher) == ("sst2", "accuracy", "84.0")
    assert sst2.textbooks == ["general", "contextualized"]
    # 1.96 times the root of 0.4^2 + 0.6^2 / 4 = 0.25, and of 0.4^2 + 0.6^2 / 2 = 0.34
    assert sst2.lines == [
        ("random", "task", "tiny", ["71.0 ± 1.0", ""]),
        ("random", "task", "small", ["", "80.0 ± 1.1"]),
    ]
    assert (own.task, own.teacher) == ("own", "")
    assert own.lines == [("random", "task", "small", ["81.0 ± 1.1"])]


def test_a_sweep_of_one_shape_has_no_table():
    assert shape_tables([cell("tiny", "70.0"), cell("tiny", "71.0")]) == []
    assert shape_tables([]) == []
    without = {name: value for name, value in cell("", "70.0").items() if name != "student"}
    assert shape_tables([without]) == []
