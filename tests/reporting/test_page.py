"""The tables and the page of the report."""

import re
from dataclasses import replace

import numpy as np
import pytest

from textbook.reporting.confusion import Confusion
from textbook.reporting.curves import curve
from textbook.reporting.findings import findings
from textbook.reporting.grid import grids
from textbook.reporting.mistakes import Mistake
from textbook.reporting.nearness import nearness
from textbook.reporting.page import AnalysisSection, Lineage, SweepSection, TaskSection, write_page
from textbook.reporting.scale import Scale
from textbook.reporting.shapes import ShapeTable
from textbook.reporting.size_charts import SizeChart
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


def test_scores_on_test_data_have_a_column_of_their_own():
    tested = {
        name: {**figure, "test": {"score": figure["score"] - 1, "score_std": 0.2, "seeds": figure["seeds"]}}
        for name, figure in FIGURES.items()
    }
    assert columns(tested, "accuracy")[:4] == ("model", "accuracy", "on test data", "parameters")
    teacher, scratch, *_ = comparison(tested, "accuracy")
    assert teacher[:4] == ("teacher", "84.0", "83.0", "22.7 M")
    assert scratch[1:4] == ("76.1 ± 0.5", "75.1 ± 0.2", "7.0 M")
    assert len(teacher) == len(columns(tested, "accuracy")) == len(columns(FIGURES, "accuracy")) + 1


def test_the_cost_table_has_operations_by_length_and_times_by_batch_size_and_length():
    head, teacher, _, student, _, cut = cost_table(FIGURES, "accuracy")
    assert head[1:] == ("GFLOPs, 16 tokens", "GFLOPs, 64 tokens", "ms/sentence, 1 x 16", "ms/sentence, 32 x 64")
    assert teacher == ("teacher", "0.34", "1.40", "5.10", "4.00")
    assert student == ("distilled student", "0.05", "0.21", "1.20", "0.56")
    assert cut[0] == "teacher cut to 3 layers"


SVG = curve({"a": [(1, 2)]}, "x", "y")
TASK = TaskSection(
    task="reviews <1>",
    headline="The student scores 81.4 % & more.",
    concern="Worse than the majority class & TF-IDF.",
    verdict=verdict(FIGURES, "matthews"),
    gain=5.3,
    front=SVG,
    smallest="The smallest & best.",
    rows=[columns(FIGURES, "matthews"), *comparison(FIGURES, "matthews")],
    confusions={"student": Confusion(["<b>no</b>", "yes"], np.array([[3, 1], [0, 4]]))},
    mistakes=[Mistake("<script>alert(1)</script>", "<b>no</b>", "<i>no</i> (90.0 %)", "yes (80.0 %)")],
    curves={"loss & epochs": SVG},
    kind="contextualized",
    textbook={"sentences": 1234},
    examples=["<script>alert(2)</script>"],
    costs=cost_table(FIGURES, "matthews"),
    making=[("training", "minutes", "price"), ("all", "7.5", "0.013")],
    lineage=Lineage({"run_id": "abc", "git_commit": "<c0ffee>"}, f"{URL}/abc", {"data/<corpus>": "123.dir"}),
)
SWEEP = SweepSection(
    GRIDS,
    [
        ShapeTable(
            "sst2",
            "accuracy",
            "84.0",
            ["<general>"],
            [("random", "task", "<tiny>", "8.0 MB", "0.8 ms", ["80.0 ± 1.0"])],
            "The smallest <shape>.",
        )
    ],
    nearness(CELLS),
    FINDINGS,
    [SizeChart("sst2 · <random>", SVG, [("textbook", "texts"), ("<general>, top 20 %", "12,345")])],
    {"parts": SVG},
)
ANALYSIS = AnalysisSection(
    tables={"Size": [["corpus", "text_bytes", "k"], ["general", "7654321", ""]]}, figures={"Relevance": SVG}
)
OF_SWEEPS = ("Which textbook to trust", "How small the student", "How much of the textbook")
EMPTY = SweepSection([], [], "", [], [], {})


@pytest.fixture
def render(tmp_path):
    """A function that renders a page from sections."""

    def render_page(tasks, sweep=EMPTY, analysis=None, scale=None, corpus=None):
        write_page(tasks, sweep, corpus or {}, analysis, scale, tmp_path / "report.html")
        return (tmp_path / "report.html").read_text()

    return render_page


def test_the_page_has_every_figure(render):
    html = render([TASK], SWEEP, ANALYSIS)
    for expected in (
        "81.4 ± 0.3",
        "<th>Matthews</th>",
        "<th>ms/sentence, 32 x 64</th>",
        "<p><strong>Worse than the majority class &amp; TF-IDF.</strong></p>",
        '<p class="headline">The student scores 81.4 % &amp; more.</p>',
        "+5.3 points",
        "Better than the student: teacher cut to 3 layers (by 0.6 points, which may be chance).",
        "<td>+31.4 [28.0, 34.8]</td>",
        '<tr class="student"><td>distilled student</td>',
        "The smallest &amp; best.",
        '<td style="--share: 75.0">3 <small>75.0 %</small></td>',
        "paired",
        "1,234",
        "<td>7.5</td><td>0.013</td>",
        f'<a href="{URL}/abc">abc</a>',
        "<td>data/&lt;corpus&gt;</td><td>123.dir</td>",
        "7,654,321",
        "<th>text bytes</th>",
        "<strong>82.5 ± 0.2</strong>",
        "<small>loss 0.300</small>",
        "<small>paper 95.2</small>",
        "The fine-tuned teacher scores 84.0.",
        "accuracy: contextualized is best",
        f'<a href="{URL}/run-of-general">run-of-general</a>',
        "<td>+2.5 ± 0.7</td>",
        "<td>&lt;tiny&gt;</td><td>8.0 MB</td><td>0.8 ms</td><td>80.0 ± 1.0</td>",
        "<td>&lt;general&gt;, top 20 %</td><td>12,345</td>",
        "<p>The smallest &lt;shape&gt;.</p>",
    ):
        assert expected in html
    assert html.count("<svg") == 6


def test_the_page_loads_nothing_from_elsewhere(render):
    html = render([TASK], SWEEP, ANALYSIS)
    for external in ("src=", "<link", "@import", "url(http"):
        assert external not in html


def test_text_of_the_user_is_escaped(render):
    html = render([TASK], SWEEP, ANALYSIS)
    for markup in ("<script", "<b>", "<i>", "<1>", "<c0ffee>", "<corpus>", "<general>", "<tiny>", "<random>"):
        assert markup not in html
    for text in ("alert(1)", "alert(2)"):
        assert f"&lt;script&gt;{text}&lt;/script&gt;" in html
    assert "label <strong>&lt;b&gt;no&lt;/b&gt;</strong> · teacher: &lt;i&gt;no&lt;/i&gt; (90.0 %)" in html


def test_what_is_not_about_the_users_own_run_is_folded(render):
    scale = Scale([("step", "hours"), ("index", "6")], [("step",), ("teachers",)], [("disk", "1 GB", "Big")], 2.0)
    html = render([TASK], SWEEP, ANALYSIS, scale)
    unfolded = re.sub("<details>.*?</details>", "", html, flags=re.DOTALL)
    for title in ("Statistics of the textbooks", "Estimate for the paper’s scale"):
        assert title in html
        assert title not in unfolded
    for title in ("Quality and cost", "Where the student fails", *OF_SWEEPS):
        assert title in unfolded


def test_a_large_matrix_is_a_list_of_the_most_frequent_confusions(render):
    counts = np.eye(13, dtype=int) * 4
    counts[2, 7] = 1
    html = render([replace(TASK, confusions={"student": Confusion([f"c{n}" for n in range(13)], counts)})])
    assert "<tr><td>c2</td><td>c7</td><td>1</td><td>20.0 %</td></tr>" in html
    assert "says c" not in html


def test_what_is_missing_is_said_or_left_out(render):
    bare = replace(TASK, confusions={}, mistakes=[], lineage=Lineage({}, "", {}))
    html = render([bare])
    assert "On no validation text does the student fail where its teacher doesn't." in html
    assert "The student is not registered." in html
    for absent in ("says ", "hashes in DVC", *OF_SWEEPS, "Estimate for", "The general"):
        assert absent not in html


def test_the_report_says_what_was_left_out_of_the_general_text(render):
    counts = {"sentences": 12345, "kept": 10000, "duplicates": 2000}
    assert "12,345 sentences of the right length,\n2,000 were left out because they repeat an earlier one. 10,000" in (
        render([TASK], corpus=counts)
    )
    html = render([TASK], corpus={**counts, "near_duplicates": 345})
    assert "repeat an earlier one, and 345 because they nearly do (<code>corpus.near_duplicates</code>). 10,000" in html


def test_the_errors_of_a_scale_are_named_so(render):
    html = render([replace(TASK, confusions={}, mistakes=[Mistake("a | b", "4.5", "4.20", "1.00")])])
    assert "The student's largest errors on the validation data" in html
    assert "label <strong>4.5</strong> · teacher: 4.20 · student:\n1.00" in html
