"""The tables and the page of the report."""

from textbook.reporting.curves import curve
from textbook.reporting.findings import findings
from textbook.reporting.grid import grids
from textbook.reporting.nearness import nearness
from textbook.reporting.page import AnalysisSection, TaskSection, write_page
from textbook.reporting.table import columns, comparison, cost_table
from textbook.reporting.verdict import verdict

FIGURES = {
    "teacher": {
        "score": 84,
        "score_std": 0,
        "seeds": 1,
        "parameters": 22.7e6,
        "bytes": 91e6,
        "ms_per_sentence": 8.0,
        "gflops": {"16": 0.34, "64": 1.4},
        "ms": {"1x16": 5.1, "32x64": 4.0},
        "paired": {"value": -2.6, "low": -4.9, "high": -0.3, "p_holm": 0.04},
    },
    "scratch": {
        "score": 76.1,
        "score_std": 0.5,
        "seeds": 2,
        "parameters": 7e6,
        "bytes": 29e6,
        "ms_per_sentence": 2.0,
        "gflops": {"16": 0.05, "64": 0.21},
        "ms": {"1x16": 1.1, "32x64": 0.55},
    },
    "student": {
        "score": 81.4,
        "score_std": 0.3,
        "seeds": 2,
        "parameters": 7e6,
        "bytes": 29e6,
        "ms_per_sentence": 1.6,
        "gflops": {"16": 0.05, "64": 0.21},
        "ms": {"1x16": 1.2, "32x64": 0.56},
    },
    "onnx": {
        "score": 81.6,
        "score_std": 0,
        "seeds": 1,
        "parameters": 7e6,
        "bytes": 7.4e6,
        "ms_per_sentence": 0.5,
        "gflops": {"16": 0.05, "64": 0.21},
        "ms": {"1x16": 0.3, "32x64": 0.25},
    },
    "majority": {
        "score": 50,
        "score_std": 0,
        "seeds": 1,
        "parameters": 1,
        "bytes": 4,
        "ms_per_sentence": 0.01,
        "paired": {"value": 31.4, "low": 28.0, "high": 34.8, "p_holm": 0.0},
    },
    "tfidf": {
        "score": 78,
        "score_std": 0,
        "seeds": 1,
        "parameters": 45e3,
        "bytes": 4e5,
        "ms_per_sentence": 0.2,
        "paired": {"value": 3.4, "low": 1.0, "high": 5.8, "p_holm": 0.02},
    },
    "truncated_teacher": {
        "score": 82,
        "score_std": 0.3,
        "seeds": 2,
        "parameters": 17.4e6,
        "bytes": 70e6,
        "ms_per_sentence": 4.1,
        "gflops": {"16": 0.17, "64": 0.7},
        "ms": {"1x16": 2.6, "32x64": 2.0},
        "layers": 3,
        "paired": {"value": -0.6, "low": -2.4, "high": 1.2, "p_holm": 0.51},
    },
}


PLACE = {"task": "sst2", "init": "random", "teacher": "task", "metric": "accuracy", "std": "0.2"}
ERRORS = {"standard_error": "0.5", "validation_relation_loss": "0.3", "teacher_score": "84", "seeds": "2"}
URL = "http://127.0.0.1:5000/#/experiments/1/runs"
CELLS = [
    {**PLACE, **ERRORS, "textbook": book, "mean": mean, "run_id": f"run-of-{book}", "run_url": f"{URL}/run-of-{book}"}
    for book, mean in (("general", "80.0"), ("contextualized", "82.5"))
]
GRIDS, FINDINGS = grids(CELLS), findings(CELLS)


def test_the_comparison_has_the_speed_up_over_the_teacher_and_the_spread_over_seeds():
    teacher, scratch, student, int8, majority, tfidf, cut = comparison(FIGURES, "accuracy")
    assert teacher == ("teacher", "84.0", "22.7 M", "91.0 MB", "8.0", "1.0x", "-2.6 [-4.9, -0.3]")
    assert scratch[1:] == ("76.1 ± 0.5", "7.0 M", "29.0 MB", "2.0", "4.0x", "")
    assert student[-2:] == ("5.0x", "")
    assert int8 == ("best student, int8 ONNX", "81.6", "7.0 M", "7.4 MB", "0.5", "16.0x", "")
    assert majority == ("majority class", "50.0", "0.0 M", "0.0 MB", "0.0", "", "+31.4 [28.0, 34.8]")
    assert tfidf[0] == "TF-IDF + logistic regression"
    assert cut[0] == "teacher cut to 3 layers"


def test_the_cost_table_has_operations_by_length_and_times_by_batch_size_and_length():
    head, teacher, _, student, _, cut = cost_table(FIGURES, "accuracy")
    assert head[1:] == ("GFLOPs, 16 tokens", "GFLOPs, 64 tokens", "ms/sentence, 1 x 16", "ms/sentence, 32 x 64")
    assert teacher == ("teacher", "0.34", "1.40", "5.10", "4.00")
    assert student == ("distilled student", "0.05", "0.21", "1.20", "0.56")
    assert cut[0] == "teacher cut to 3 layers"


def test_the_page_is_self_contained_and_escapes_text(tmp_path):
    section = TaskSection(
        task="reviews",
        columns=columns("matthews"),
        rows=comparison(FIGURES, "matthews"),
        costs=cost_table(FIGURES, "matthews"),
        concern="Worse than the majority class & TF-IDF.",
        verdict=verdict(FIGURES, "matthews"),
        gain=5.3,
        textbook={"sentences": 1234},
        kind="contextualized",
        examples=["<script>alert(1)</script>"],
        curves={"loss": curve({"loss": [(1, 0.9), (2, 0.5)]}, "step", "loss")},
        registered={"run_id": "abc"},
    )
    analysis = AnalysisSection(
        tables={"Size": [["corpus", "text_bytes", "k"], ["general", "7654321", ""]]},
        figures={"Relevance": curve({"a": [(1, 2)]}, "x", "y")},
    )
    write_page(
        [section],
        GRIDS,
        nearness(CELLS),
        FINDINGS,
        {"parts": curve({"a": [(1, 2)]}, "step", "y")},
        analysis,
        None,
        tmp_path / "report.html",
    )
    html = (tmp_path / "report.html").read_text()
    for expected in (
        "81.4 ± 0.3",
        "<th>Matthews</th>",
        "<th>ms/sentence, 32 x 64</th>",
        "<h2>reviews</h2>\n<p><strong>Worse than the majority class &amp; TF-IDF.</strong></p>",
        "+5.3 points",
        "Better than the student: teacher cut to 3 layers (by 0.6 points, which may be chance).",
        "<td>+31.4 [28.0, 34.8]</td>",
        "paired",
        "1,234",
        "<svg",
        "abc",
        "7,654,321",
        "<th>text bytes</th>",
        "&lt;script&gt;",
        "<strong>82.5 ± 0.2</strong>",
        "<small>loss 0.300</small>",
        "<small>paper 95.2</small>",
        "The fine-tuned teacher scores 84.0.",
        "accuracy: contextualized is best",
        f'<a href="{URL}/run-of-general">run-of-general</a>',
        "<td>+2.5 ± 0.7</td>",
    ):
        assert expected in html
    assert "<script" not in html
    assert html.count("<svg") == 4
    for external in ("src=", "<link", "@import"):
        assert external not in html
