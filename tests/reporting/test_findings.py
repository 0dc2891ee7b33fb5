"""Verdicts on the paper's claims."""

import pytest

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
    [("83.0", SUPPORTED), ("82.8", UNDECIDED), ("77.2", UNDECIDED), ("77.0", CONTRADICTED)],
)
def test_a_difference_beyond_twice_its_error_decides(score, verdict):
    assert compare_with_general(score, "80.0")[-1] == verdict


def test_a_line_has_both_scores_the_error_of_their_difference_both_losses_and_the_papers_difference():
    line = compare_with_general("82.0", "80.0", std="2.0", loss="0.4")
    # The variances are 1 from the rows of each score, and 2² / 2 from the two seeds of the first.
    assert line == ("sst2, accuracy", "82.0", "80.0", "+2.0 ± 2.0", "10.0", "0.400 vs. 0.500", "+1.8", UNDECIDED)


def test_losses_of_different_teachers_are_not_compared():
    results = findings([row("random task general", "80.0"), row("random general general", "79.0")])
    assert [finding.lines[0][5] for finding in results] == [""]
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
    assert {finding.lines[0][6] for finding in results} == {""}  # the paper has no such task
