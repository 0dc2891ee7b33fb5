import pytest

from textbook.reporting.findings import AGAINST, FOR, OPEN, findings


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


def contextualized_and_general(one, other, **more):
    rows = [row("random task contextualized", one, **more), row("random task general", other)]
    (finding,) = findings(rows)
    assert "better than the general one" in finding.claim
    (line,) = finding.lines
    return line


@pytest.mark.parametrize(("one", "is_"), [("83.0", FOR), ("82.8", OPEN), ("77.2", OPEN), ("77.0", AGAINST)])
def test_a_difference_decides_from_twice_its_error_on(one, is_):
    assert contextualized_and_general(one, "80.0")[-1] == is_


def test_a_line_has_both_scores_the_error_of_their_difference_both_losses_and_the_papers_difference():
    line = contextualized_and_general("82.0", "80.0", std="2.0", loss="0.4")
    # Both have a variance of 1 from their rows, and one of 2² / 2 from its two seeds.
    assert line == ("sst2, accuracy", "82.0", "80.0", "+2.0 ± 2.0", "10.0", "0.400 against 0.500", "+1.8", OPEN)


def test_losses_against_different_teachers_are_not_compared():
    found = findings([row("random task general", "80.0"), row("random general general", "79.0")])
    assert [finding.lines[0][5] for finding in found] == [""]
    assert found[0].verdict == "Of 1 task: for in 0, against in 0, undecided in 1."


def test_the_verdict_counts_the_tasks():
    rows = [row("random task contextualized", "85.0", task, loss="0.4") for task in ("sst2", "cola", "rte")]
    rows += [
        row("random task general", mean, task, loss=loss)
        for task, mean, loss in (("sst2", "80.0", "0.5"), ("cola", "90.0", "0.5"), ("rte", "84.0", "0.3"))
    ]
    (found,) = findings(rows)
    assert found.verdict == (
        "Of 3 tasks: for in 1, against in 1, undecided in 1; the relation loss is lower in 2 of 3."
    )


def test_a_claim_has_a_line_for_each_task_with_both_cells_and_one_without_any_is_left_out():
    rows = [row(f"random task {book}", "80.0", task) for task in ("own", "cola") for book in ("general", "augmented")]
    assert findings(rows) == []
    rows += [row("random task contextualized", "81.0", "own"), row("random task contextualized", "", "cola")]
    found = findings(rows)
    assert [len(finding.lines) for finding in found] == [1, 1]
    assert {finding.lines[0][6] for finding in found} == {""}  # the paper has no such task
