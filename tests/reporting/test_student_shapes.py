"""The table of shapes, beside figures made by hand."""

from textbook.reporting.shapes import shape_models, shape_tables


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
        ("random", "task", "tiny", "", "", ["71.0 ± 1.0", ""]),
        ("random", "task", "small", "", "", ["", "80.0 ± 1.1"]),
    ]
    assert (own.task, own.teacher) == ("own", "")
    assert own.lines == [("random", "task", "small", "", "", ["81.0 ± 1.1"])]
    assert own.smallest == ""  # a table of an older version has no sizes


def priced(student, mean, textbook, size, **changes):
    """A cell whose student has a size in megabytes, and a tenth of that as milliseconds."""
    costs = {"parameters": "1000", "bytes": str(1e6 * size), "ms_per_sentence": str(size / 10)}
    return {**cell(student, mean, textbook), **costs, **changes}


PRICED = [
    priced("tiny", "82.0", "general", 8),
    priced("tiny", "83.0", "general", 8),  # of another seed
    priced("tiny", "82.4", "contextualized", 8),
    priced("tiny", "99.0", "contextualized", 8, top_percent="20.0"),
    priced("small", "83.0", "general", 20),
    priced("small", "83.2", "general", 20, teacher="general"),
    priced("small", "70.0", "general", 20, task="own"),
    {**priced("large", "", "general", 40), "state": "failed"},
]


def test_the_best_student_of_each_shape_is_compared_with_other_models():
    tiny = {"score": 82.5, "teacher_score": 84.0, "bytes": 8e6, "ms_per_sentence": 0.8}
    small = {"score": 83.2, "teacher_score": 84.0, "bytes": 20e6, "ms_per_sentence": 2.0}
    assert shape_models(PRICED, "sst2") == {"tiny (general)": tiny, "small (general, general teacher)": small}
    assert shape_models([priced("", "82.0", "general", 8)], "sst2") == {}  # of the section `student`


def test_sizes_and_times_are_in_the_table_and_the_smallest_shape_close_to_its_teacher_is_named():
    sst2, own = shape_tables(PRICED)
    assert [line[2:5] for line in sst2.lines] == [
        ("tiny", "8.0 MB", "0.8 CPU ms per text"),
        ("small", "20.0 MB", "2.0 CPU ms per text"),
        ("small", "20.0 MB", "2.0 CPU ms per text"),
    ]
    assert sst2.smallest == (
        "The smallest model within 1 point of the teacher: small (general, general teacher)"
        " (20.0 MB, 2.0 CPU ms per text)."
    )
    assert own.smallest == "No smaller model is within 1 point of the teacher."


def test_a_sweep_of_one_shape_has_no_table():
    assert shape_tables([cell("tiny", "70.0"), cell("tiny", "71.0")]) == []
    assert shape_tables([]) == []
    without = {name: value for name, value in cell("", "70.0").items() if name != "student"}
    assert shape_tables([without]) == []
