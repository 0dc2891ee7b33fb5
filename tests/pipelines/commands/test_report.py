"""`make report` with different outputs present."""

from pathlib import Path

import pytest

from pipelines.commands.report import main as report
from textbook.errors import UserError
from textbook.files import read_rows, write_csv, write_json
from textbook.params import Params
from textbook.params_file import load_params

CELL = {
    "task": "rotten_tomatoes",
    "init": "random",
    "teacher": "task",
    "textbook": "general",
    "seed": 0,
    "top_percent": 100.0,
    "metric": "accuracy",
    "mean": 80.0,
    "std": 0.5,
    "standard_error": 1.2,
    "teacher_score": 83.0,
    "task_relation_loss": 0.7,
    "validation_relation_loss": 0.8,
    "seeds": 2,
    "steps": 100,
    "batch": 64,
    "device": "cpu fp32",
    "seconds": 9.5,
    "state": "done",
    "run_id": "abc",
    "experiment_id": "3",
}


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    shipped = load_params(Path(__file__).parents[3] / "params.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    Path("reports").mkdir()
    return shipped


def test_a_sweep_alone_makes_a_report_with_links_to_its_runs(params: Params) -> None:
    failed = {**CELL, "textbook": "contextualized", "mean": None, "state": "failed", "run_id": None}
    write_csv(Path("reports/sweep.csv"), [CELL, failed, {**CELL, "top_percent": 20.0}])
    report(params)
    html = Path("reports/report.html").read_text(encoding="utf-8")
    assert '<a href="http://127.0.0.1:5000/#/experiments/3/runs/abc">abc</a>' in html
    assert [row["state"] for row in read_rows(Path("reports/table2.csv"))] == ["done", "failed"]


def test_the_links_lead_to_the_configured_server(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://runs.example.org/")
    write_csv(Path("reports/sweep.csv"), [CELL])
    report(params)
    html = Path("reports/report.html").read_text(encoding="utf-8")
    assert 'href="https://runs.example.org/#/experiments/3/runs/abc"' in html


def test_the_report_counts_the_sentences_of_the_corpus(params: Params) -> None:
    write_csv(Path("reports/sweep.csv"), [CELL])
    write_json(Path("data/corpus/corpus.json"), {"sentences": 9, "kept": 7, "duplicates": 2, "sha256": "abc"})
    report(params)
    html = Path("reports/report.html").read_text(encoding="utf-8")
    assert "From its 9 sentences" in html
    assert "abc" not in html.partition("The general text")[2]


def test_without_outputs_the_error_names_the_next_command(params: Params) -> None:
    with pytest.raises(UserError, match="nothing to report yet; run `dvc repro` or `make sweep` first"):
        report(params)
    assert not Path("reports/report.html").exists()
