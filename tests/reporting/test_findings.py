"""Verdicts on the paper's claims."""

import math

import pytest

from textbook.evaluation.paired import Difference
from textbook.files import write_csv
from textbook.reporting.cells import place_name, read_comparisons
from textbook.reporting.findings import CONTRADICTED, SUPPORTED, UNDECIDED, findings


def row(place, mean, task="sst2", std="0.0", error="1.0", loss="0.5"):
    init, teacher, textbook = place.split()
    return {
        "task": task,
        "init": init,
        "teacher": teacher,
        "textbook": textbook,
        "metric": "accuracy",
        "mean": mean,
        "std": std,
        "standard_error": error,
        "seeds": "2",
        "validation_relation_loss": loss,
        "teacher_score": "90.0",
    }


def compare_with_general(contextualized, general, **more):
    """The line of the claim that the contextualized textbook beats the general one, from their mean scores."""
    rows = [row("random task contextualized", contextualized, **more), row("random task general", general)]
    (finding,) = findings(rows)
    assert "better than the general one" in finding.claim
    (line,) = finding.lines
    return line


@pytest.mark.parametrize(
    ("score", "verdict"),
    [("82.8", SUPPORTED), ("82.7", UNDECIDED), ("77.3", UNDECIDED), ("77.2", CONTRADICTED)],
)
def test_a_difference_with_a_p_value_below_five_percent_decides(score, verdict):
    assert compare_with_general(score, "80.0")[5] == verdict


def test_a_line_has_both_scores_the_error_of_their_difference_both_losses_and_the_papers_difference():
    line = compare_with_general("82.0", "80.0", std="2.0", loss="0.4")
    # The variances are 1 from the rows of each score, and 2² / 2 from the two seeds of the first.
    assert line == (
        "sst2, accuracy",
        "82.0",
        "80.0",
        "+2.0 ± 2.0",
        "0.317",
        UNDECIDED,
        "10.0",
        "0.400 vs. 0.500",
        "+1.8",
    )


def test_losses_of_different_teachers_are_not_compared():
    results = findings([row("random task general", "80.0"), row("random general general", "79.0")])
    assert [finding.lines[0][7] for finding in results] == [""]
    assert results[0].verdict == "Supported in 0 of 1 task, contradicted in 0, undecided in 1."


def test_the_verdict_counts_the_tasks():
    rows = [row("random task contextualized", "85.0", task, loss="0.4") for task in ("sst2", "cola", "rte")]
    rows += [
        row("random task general", mean, task, loss=loss)
        for task, mean, loss in (("sst2", "80.0", "0.5"), ("cola", "90.0", "0.5"), ("rte", "84.0", "0.3"))
    ]
    (finding,) = findings(rows)
    assert finding.verdict == (
        "Supported in 1 of 3 tasks, contradicted in 1, undecided in 1; the relation loss is lower in 2 of 3."
    )


def test_a_claim_has_a_line_for_each_task_with_both_cells_and_is_left_out_without_any():
    rows = [row(f"random task {book}", "80.0", task) for task in ("own", "cola") for book in ("general", "augmented")]
    assert findings(rows) == []
    rows += [row("random task contextualized", "81.0", "own"), row("random task contextualized", "", "cola")]
    results = findings(rows)
    assert [len(finding.lines) for finding in results] == [1, 1]
    assert {finding.lines[0][8] for finding in results} == {""}  # the paper has no such task


def paired(*leads, error=1.0, freedom=math.inf):
    """Comparisons of the contextualized with the general textbook, by task in the order of the leads."""
    places = (place_name("random", "task", "contextualized"), place_name("random", "task", "general"))
    return {(f"task{n}", *places): Difference(lead, error, freedom) for n, lead in enumerate(leads)}


def rows_of(tasks):
    return [
        row(f"random task {book}", mean, f"task{n}")
        for n in range(tasks)
        for book, mean in (("contextualized", "82.0"), ("general", "80.0"))
    ]


def test_a_paired_difference_has_an_interval_and_decides_where_the_other_does_not():
    (finding,) = findings(rows_of(1))
    assert finding.lines[0][3] == "+2.0 ± 1.4"
    assert finding.lines[0][5] == UNDECIDED
    (finding,) = findings(rows_of(1), paired(2.0, error=0.5))
    assert finding.lines[0][3:5] == ("+2.0 [1.0, 3.0]", "<0.001")
    assert finding.lines[0][5] == SUPPORTED
    assert "Over all tasks" not in finding.verdict


def test_the_order_of_the_places_does_not_matter():
    turned = {(task, two, one): Difference(-d.value, d.error, d.freedom) for (task, one, two), d in paired(2.0).items()}
    assert findings(rows_of(1), turned) == findings(rows_of(1), paired(2.0))


def test_p_values_are_corrected_for_the_number_of_comparisons():
    alone, several = (findings(rows_of(tasks), paired(*[2.2] + [0.1] * (tasks - 1)))[0] for tasks in (1, 5))
    assert [finding.lines[0][4] for finding in (alone, several)] == ["0.028", "0.139"]
    assert [finding.lines[0][5] for finding in (alone, several)] == [SUPPORTED, UNDECIDED]


def test_small_leads_on_many_tasks_decide_together():
    (finding,) = findings(rows_of(4), paired(1.5, 1.4, 1.6, 1.5))
    assert {line[5] for line in finding.lines} == {UNDECIDED}
    assert finding.verdict.endswith(" Over all tasks: +1.5 [0.5, 2.5] points, p = 0.003: supported.")


def test_comparisons_are_read_from_their_table(tmp_path):
    figures = {"difference": 2.0, "error": 0.5, "low": 1.0, "high": 3.0, "freedom": math.inf, "p": 0.01}
    places = {"first": "random/task/contextualized", "second": "random/task/general"}
    write_csv(tmp_path / "comparisons.csv", [{"task": "task0", "metric": "accuracy", **places, **figures}])
    assert read_comparisons(tmp_path / "comparisons.csv") == paired(2.0, error=0.5)
