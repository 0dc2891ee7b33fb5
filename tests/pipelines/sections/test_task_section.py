"""The section on a task has what the stages wrote."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from toy_answers import MODELS, TASK, write_answers

from pipelines.commands.report import main as report
from pipelines.sections.task import task_section
from textbook.files import write_csv, write_json
from textbook.params import Params
from textbook.params_file import load_params

COST = {
    "seeds": 1,
    "score_std": 0.0,
    "standard_error": 1.0,
    "parameters": 1e6,
    "gflops": {"16": 0.1},
    "ms": {"1x16": 2},
}
FIGURES = {
    "teacher": {**COST, "score": 80.0, "bytes": 80e6, "ms_per_sentence": 20.0},
    "scratch": {**COST, "score": 70.0, "bytes": 20e6, "ms_per_sentence": 4.0},
    "student": {**COST, "score": 77.5, "bytes": 20e6, "ms_per_sentence": 4.0},
}
CELL = {  # of a sweep with a named shape
    "task": TASK,
    "init": "random",
    "teacher": "task",
    "textbook": "general",
    "top_percent": 100.0,
    "student": "tiny",
    "metric": "accuracy",
    "mean": 79.5,
    "std": 0.5,
    "standard_error": 1.2,
    "teacher_score": 80.0,
    "validation_relation_loss": 0.8,
    "seeds": 2,
    "parameters": 1250000,
    "bytes": 5e6,
    "ms_per_sentence": 0.5,
    "state": "done",
}
EPOCHS = {"teacher/history": 0.8, "student/history-0": 0.1, "student/history-7": 0.77, "scratch/history-3": 0.7}


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """The shipped parameters, in a folder with the outputs of the stages."""
    shipped = load_params(Path(__file__).parents[3] / "params.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    columns = {"sentence": ["<bad>", "good"], "label": [0, 1]}
    write_answers(columns, [[2.0, 0.0], [0.0, 2.0]], {0: [[2.0, 0.0], [0.0, 2.0]], 7: [[0.0, 2.0]] * 2}, best_seed=7)
    for folder in ("distilled", "scratch"):
        (MODELS / folder).mkdir()
    write_json(MODELS / "scratch" / "result.json", {"best_seed": 3})
    for name, accuracy in EPOCHS.items():
        lines = [{"step": step, "time": 60_000 * step, "accuracy": accuracy, "loss": 1.0} for step in (1, 2)]
        (MODELS / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    (MODELS / "distilled" / "history.jsonl").write_text('{"step": 1, "time": 1, "loss": 0.5}\n', encoding="utf-8")
    textbook = Path("data/textbooks") / TASK / "contextualized"
    textbook.parent.mkdir(parents=True)
    pq.write_table(pa.table({"sentence": [f"text {n}" for n in range(17)]}), textbook.with_suffix(".parquet"))
    write_json(textbook.with_suffix(".json"), {"sentences": 17})
    return shipped


def test_the_section_is_of_the_best_seed_with_evenly_spaced_samples(params: Params) -> None:
    section = task_section(params, TASK, FIGURES, {})
    assert section.headline.startswith("The student scores 77.5 % (accuracy), 2.5 points below its teacher; it is 4.0")
    assert section.gain == 7.5
    assert section.confusions["student"].counts.tolist() == [[0, 1], [0, 1]]
    assert [mistake.text for mistake in section.mistakes] == ["<bad>"]
    assert section.examples == [f"text {n}" for n in (0, 3, 6, 9, 12, 15)]  # every third of 17
    assert section.making[-1] == ("all", "6.0", "0.010")  # teacher and two seeds, two minutes each; 0.1 per hour
    assert section.lineage.registered == {}
    assert len(section.curves) == 2


def test_the_report_shows_the_section(params: Params) -> None:
    write_json(Path("data/evaluation") / f"{TASK}.json", FIGURES)
    write_csv(Path("reports/sweep.csv"), [CELL])
    report(params)
    html = Path("reports/report.html").read_text(encoding="utf-8")
    for expected in ("<h2>rotten_tomatoes</h2>", "2.5 points below its teacher", "&lt;bad&gt;<br>", "not registered"):
        assert expected in html
    assert "within 1 point of the teacher: tiny (general) (5.0 MB, 0.5 CPU ms per text)." in html
    assert "that of a shape in the sweep" in html
