"""The closing table on wide and narrow terminals."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.commands.summary import main as summary
from textbook.files import read_json, write_json
from textbook.params_file import load_params

PAIRED = {"value": 3.4, "error": 1.2, "low": 1.0, "high": 5.8, "p_holm": 0.02}
FIGURE = {
    "score": 78.0,
    "score_std": 0.5,
    "standard_error": 1.3,
    "seeds": 2,
    "parameters": 7e6,
    "bytes": 29e6,
    "ms_per_sentence": 2.0,
}
NAMES = ("teacher", "scratch", "student", "onnx", "majority", "tfidf", "embeddings", "truncated_teacher")


def write_metrics(leads: dict[str, float]) -> None:
    """Write the figures of all models. The student's lead over a model is 3.4 points, unless `leads` has another."""
    figures = {
        name: {**FIGURE, "paired": {**PAIRED, "value": leads.get(name, PAIRED["value"])}, "layers": 3} for name in NAMES
    }
    del figures["student"]["paired"]
    write_json(Path("reports/metrics.json"), {"rotten_tomatoes": figures})


@pytest.mark.parametrize(("width", "wide"), [("80", False), ("120", True)])
def test_every_model_has_a_line_with_its_lead(
    width: str, wide: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    params = load_params(Path(__file__).parents[3] / "params.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", width)
    write_metrics({})
    summary(params)
    printed = capsys.readouterr().out
    for title in ("student from scratch", "majority class", "TF-IDF + logistic regression", "teacher cut to 3 layers"):
        (line,) = (line for line in printed.splitlines() if f" {title} " in line and "78.0 ± 0.5" in line)
        assert "+3.4 [1.0, 5.8]" in line
        assert ("7.0 M" in line) == wide
    assert "significantly better than every baseline" in printed.replace("\n", " ")
    assert max(map(len, printed.replace(str(tmp_path), "").splitlines())) <= int(width)
    assert printed.rstrip().endswith("make pull TASK=rotten_tomatoes")


def test_a_student_that_is_not_worth_it_has_the_reason_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    params = load_params(Path(__file__).parents[3] / "params.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    write_metrics({"tfidf": -1.0})
    book = Path("data/textbooks/rotten_tomatoes/contextualized.parquet")
    book.parent.mkdir(parents=True)
    pq.write_table(pa.table({"sentence": ["a"] * 128_000}), book)
    summary(params)
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.startswith(
        "rotten_tomatoes: The student (78.0) does not beat TF-IDF + logistic regression (78.0) by more than the error"
        " of the difference. What is likely to help: The teacher itself (78.0) is hardly better than majority class"
        " (78.0): train it longer (teacher.epochs) or take another (teacher.asset). Distillation read 50 %"
        " of the textbook in 1,000 steps: take more steps (distill.steps)."
    )
    assert printed.endswith("make pull TASK=rotten_tomatoes ALIAS=challenger")


def test_one_task_is_shown_by_its_own_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    params = load_params(Path(__file__).parents[3] / "params.yaml")
    params.tasks["tickets"] = params.tasks["rotten_tomatoes"]
    monkeypatch.chdir(tmp_path)
    write_metrics({})
    figures = read_json(Path("reports/metrics.json"))["rotten_tomatoes"]
    write_json(Path("data/evaluation/tickets.json"), figures)
    summary(params, "tickets")
    printed = capsys.readouterr().out
    assert "tickets: accuracy on validation data" in printed
    assert "rotten_tomatoes" not in printed
    assert printed.rstrip().endswith("make pull TASK=tickets")
