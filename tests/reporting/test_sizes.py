"""Parts of textbooks: their verdicts beside figures made by hand, and their charts."""

import pytest

from textbook.evaluation.paired import Difference
from textbook.files import read_rows, write_csv
from textbook.reporting.cells import place_name
from textbook.reporting.size_charts import HEAD, size_charts
from textbook.reporting.sizes import size_rows


def cell(percent, mean, losses=("0.5", "0.6"), textbook="contextualized", **changes):
    """A row of `reports/sweep.csv`; `losses` are those on the textbook and on validation texts."""
    return {
        "task": "films",
        "init": "random",
        "teacher": "task",
        "textbook": textbook,
        "top_percent": percent,
        "student": "",
        "metric": "accuracy",
        "mean": mean,
        "std": "0.6",
        "standard_error": "0.4",
        "seeds": "2",
        "steps": "1000",
        "batch": "40",
        "texts": str(round(200 * float(percent))),
        "textbook_relation_loss": losses[0],
        "validation_relation_loss": losses[1],
        **changes,
    }


def compared(leads, textbook="contextualized", task="films", student=""):
    """Paired differences of parts to the whole, with an error of 1 point, by the percentage of the part."""
    whole = place_name("random", "task", textbook, shape=student)
    return {
        (task, place_name("random", "task", textbook, percent, student), whole): Difference(lead, 1.0, float("inf"))
        for percent, lead in leads.items()
    }


def verdicts(rows, comparisons):
    return [row["verdict"] for row in size_rows(rows, comparisons)]


def test_each_part_is_compared_with_the_largest_by_the_paired_difference():
    rows = [cell("100.0", "80.0"), cell("20.0", "74.0"), cell("20.0", "76.0"), cell("50.0", "79.0")]
    fifth, half, whole = size_rows(rows, compared({20: -5.0, 50: -1.0}))
    assert [row["texts"] for row in (fifth, half, whole)] == [4000, 10000, 20000]
    assert [row["times_read"] for row in (fifth, half, whole)] == [10, 4, 2]
    # 1.96 times the root of 0.4^2 + 0.6^2 / 4, with two seeds of distillation
    assert (fifth["mean"], fifth["mean_low"], fifth["mean_high"]) == (75.0, 74.02, 75.98)
    assert (fifth["difference"], fifth["difference_low"], fifth["difference_high"]) == (-5.0, -6.96, -3.04)
    assert half["p"] == pytest.approx(0.317, abs=1e-3)
    assert [row["verdict"] for row in (fifth, half, whole)] == [
        "worse by 5.0 ± 2.0: too small",
        "as good as the largest (-1.0 ± 2.0)",
        "the largest",
    ]
    assert whole["difference"] is None


def test_p_values_are_corrected_for_all_comparisons_of_the_table():
    rows = [cell(percent, "80.0") for percent in ("50.0", "100.0")]
    assert verdicts(rows, compared({50: -2.2}))[0] == "worse by 2.2 ± 2.0: too small"  # p = 0.028
    rows += [cell(percent, "80.0", task="tickets") for percent in ("50.0", "100.0")]
    both = compared({50: -2.2}) | compared({50: -0.1}, task="tickets")
    assert verdicts(rows, both)[::2] == [f"as good as the largest ({lead} ± 2.0)" for lead in (-2.2, -0.1)]
    assert size_rows(rows, both)[0]["p"] == pytest.approx(2 * 0.0278, abs=1e-3)


@pytest.mark.parametrize(
    ("losses", "lead", "verdict"),
    [
        (("0.45", "0.65"), -5.0, "worse by 5.0 ± 2.0: too small, learnt by heart"),
        (("0.45", "0.65"), 0.5, "as good as the largest (+0.5 ± 2.0), learnt by heart"),
        (("0.45", "0.61"), -5.0, "worse by 5.0 ± 2.0: too small"),
        (("0.495", "0.65"), 0.5, "as good as the largest (+0.5 ± 2.0)"),
        (("0.45", "0.55"), 4.0, "better by 4.0 ± 2.0"),
    ],
)
def test_a_part_is_learnt_by_heart_if_only_its_own_loss_is_lower(losses, lead, verdict):
    rows = [cell("20.0", "75.0", losses), cell("100.0", "80.0")]
    assert verdicts(rows, compared({20: lead}))[0] == verdict


def test_a_part_that_was_not_read_once_is_not_too_small():
    rows = [cell("20.0", "75.0", ("0.4", "0.7"), batch="4"), cell("100.0", "80.0", batch="4")]
    assert verdicts(rows, compared({20: -5.0})) == ["worse by 5.0 ± 2.0", "the largest"]


def test_the_largest_part_is_likely_too_small_if_it_was_read_often():
    rows = [cell(percent, "80.0", batch="400") for percent in ("20.0", "100.0")]
    assert verdicts(rows, {})[1] == "the largest, likely too small"


def test_textbooks_with_one_part_and_cells_without_a_score_or_a_size_have_no_row():
    rows = [
        cell("100.0", "80.0"),
        cell("50.0", "", state="failed"),
        cell("20.0", "80.0", texts=""),
        cell("20.0", "80.0", textbook="general"),
        cell("100.0", "80.0", student="tiny"),
    ]
    assert size_rows(rows, {}) == []


def test_students_of_different_shapes_are_not_mixed():
    rows = [cell(percent, "80.0", student=shape) for shape in ("tiny", "small") for percent in ("20.0", "100.0")]
    comparisons = compared({20: -5.0}, student="tiny") | compared({20: 0.0}, student="small")
    assert verdicts(rows, comparisons)[::2] == ["worse by 5.0 ± 2.0: too small", "as good as the largest (+0.0 ± 2.0)"]


def test_a_chart_has_a_line_for_each_part_and_the_figures_of_the_table(tmp_path):
    rows = [cell(percent, "80.0", textbook=book) for book in ("general", "contextualized") for percent in ("20", "100")]
    rows += [cell(percent, "60.0", task="tickets") for percent in ("20", "100")]
    write_csv(tmp_path / "sizes.csv", size_rows(rows, compared({20: -5.0})))
    films, tickets = size_charts(read_rows(tmp_path / "sizes.csv"))
    assert (films.title, tickets.title) == ("films · random · task", "tickets · random · task")
    assert films.lines[0] == HEAD
    assert [line[0] for line in films.lines[1:]] == [
        "general, top 20\u00a0%",
        "general",
        "contextualized, top 20\u00a0%",
        "contextualized",
    ]
    assert films.lines[3] == (
        "contextualized, top 20\u00a0%",
        "worse by 5.0 ± 2.0: too small",
        "<0.001",
        "4,000",
        "10.0",
        "80.0 ± 1.1",
        "0.500",
        "0.600",
    )
    assert films.lines[4][1:3] == ("the largest", "")
    for text in (">general<", ">contextualized<", ">4,000<", ">10.0x<", ">accuracy, %<", "relation loss"):
        assert text in films.figure
    assert films.figure == size_charts(read_rows(tmp_path / "sizes.csv"))[0].figure
