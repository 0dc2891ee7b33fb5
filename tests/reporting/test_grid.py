"""The tables of a sweep's grid."""

from textbook.reporting.grid import grids

ERROR = {"standard_error": "0.5", "seeds": "2"}


def row(task="sst2", init="random", teacher="task", textbook="general", mean="80.0", std="0.5", **more):
    place = {"task": task, "init": init, "teacher": teacher, "textbook": textbook}
    return {**place, "metric": "accuracy", "mean": mean, "std": std, "state": "done", **ERROR, **more}


ROWS = [
    row(mean="80.0"),
    row(textbook="contextualized", mean="82.0", std="0.1"),
    row(teacher="general", mean="81.5"),
    row(teacher="general", textbook="contextualized", mean="81.0"),
    row(init="general", textbook="contextualized", mean="83.0"),
    row(task="own", mean="60.0"),
]


def test_each_task_has_a_line_for_init_and_teacher_with_a_score_for_every_textbook():
    sst2, _ = grids(ROWS)
    assert (sst2.task, sst2.metric, sst2.textbooks) == ("sst2", "accuracy", ["general", "contextualized"])
    assert [line[:2] for line in sst2.lines] == [("random", "task"), ("random", "general"), ("general", "task")]
    texts = [[score and score.text for score in scores] for *_, scores in sst2.lines]
    assert texts == [["80.0 ± 0.5", "82.0 ± 0.1"], ["81.5 ± 0.5", "81.0 ± 0.5"], [None, "83.0 ± 0.5"]]
    assert [[bool(score and score.best) for score in scores] for *_, scores in sst2.lines] == [
        [False, True],
        [True, False],
        [False, True],
    ]


def test_the_winner_leads_all_others_by_twice_the_error_in_the_most_lines():
    sst2, own = grids(ROWS)
    # The leads in its three lines: 2.0 with an error of 0.8; 0.5 with an error of 0.9; no textbook to compare with.
    assert (sst2.winner, own.winner) == ("contextualized", "")
    (sst2, *_) = grids([*ROWS, row(textbook="augmented", mean="81.0")])
    assert sst2.winner == ""


def test_a_score_has_the_papers_score_if_the_paper_has_the_task():
    sst2, own = grids(ROWS)
    assert [score.paper for score in sst2.lines[0][2]] == ["93.4", "95.2"]
    assert own.lines[0][2][0].paper == ""


def test_seeds_are_averaged():
    (grid,) = grids([row(mean="80.0", seed="0"), row(mean="82.0", std="1.5", seed="1")])
    assert grid.lines[0][2][0].text == "81.0 ± 1.0"
    assert len(grid.rows) == 2


def test_a_failed_cell_shows_its_state_and_is_never_best():
    failed = row(textbook="augmented", mean="", std="", metric="", state="failed")
    (grid,) = grids([failed, *ROWS[:1]])
    texts = {book: score.text for book, score in zip(grid.textbooks, grid.lines[0][2], strict=True)}
    assert texts == {"augmented": "failed", "general": "80.0 ± 0.5"}
    assert (grid.metric, grid.winner, len(grid.rows)) == ("accuracy", "", 2)
    (grid,) = grids([failed])
    assert (grid.winner, grid.lines[0][2][0].best) == ("", False)
