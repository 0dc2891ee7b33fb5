"""The stage `register`, over a small task with untrained models."""

import json
import shutil
from pathlib import Path

import mlflow
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import make_reviews
from pipelines.stages.evaluate import MODEL_NAMES
from pipelines.stages.register import main as register
from textbook.errors import UserError
from textbook.files import read_json, write_json
from textbook.models.classifier import load_classifier
from textbook.models.encoder import load_tokenizer
from textbook.params_file import load_params
from textbook.training.engine.log import log_to_file
from tracking.promotion import DECISION
from tracking.registry import REASONS
from tracking.store import connect

ROOT = Path(__file__).parents[3]
TASK = "rotten_tomatoes"


def write_split(path, count, seed):
    reviews = make_reviews(count, seed)
    pq.write_table(
        pa.table({"sentence": [text for text, _ in reviews], "label": [label for _, label in reviews]}), path
    )


def write_model(folder, encoder, seed, labels=("negative", "positive")):
    load_classifier(encoder, list(labels), seed).save_pretrained(folder)
    load_tokenizer(encoder).save_pretrained(folder)
    log_to_file(folder / "history-0.jsonl")(1, {"loss": 0.7, "accuracy": 0.5})


@pytest.fixture
def made(tiny_teacher, tmp_path, monkeypatch):
    """Parameters, and a project with the outputs of the stages before."""
    params = load_params(ROOT / "params.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "data" / "tasks" / TASK).mkdir(parents=True)
    write_split(tmp_path / "data" / "tasks" / TASK / "train.parquet", 40, seed=0)
    write_split(tmp_path / "data" / "tasks" / TASK / "validation.parquet", 30, seed=1)
    models = tmp_path / "data" / "models" / TASK
    for name in ("teacher", "scratch", "student", "distilled"):
        write_model(models / name, tiny_teacher, seed=0)
    (models / "teacher" / "history-0.jsonl").rename(models / "teacher" / "history.jsonl")
    lines = [{"step": step, "time": 100 * step, "loss": 1 / step, "tokens_per_second": 1000.0} for step in (10, 20)]
    (models / "distilled" / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    write_json(models / "distilled" / "run.json", {"cell": "begun"})
    (tmp_path / "data" / "evaluation").mkdir()
    write_figures({})
    return params


def write_figures(leads):
    """Write the figures of all models, and the student's lead over the others: 2 points unless `leads` has another."""
    figures = {"score": 50.0, "score_std": 0.0, "standard_error": 1.0, "seeds": 1, "parameters": 1000}
    figures |= {"bytes": 4000, "ms_per_sentence": 1.0}
    evaluated = {
        name: {
            **figures,
            "gflops": {"16": 0.1},
            "paired": {"value": leads.get(name, 2.0), "error": 1.5, "low": -1.0, "high": 5.0},
        }
        for name in MODEL_NAMES
    }
    del evaluated["student"]["paired"]
    write_json(Path("data/evaluation") / f"{TASK}.json", evaluated)


def registered():
    return read_json(Path("data/registry") / f"{TASK}.json")


def test_a_student_is_recorded_registered_and_compared_with_the_champion(made, tiny_teacher):
    register(made, TASK)
    first = registered()
    assert (first["version"], first["alias"]) == ("1", "champion")
    client = connect()
    run = client.get_run(first["run_id"])
    assert run.data.metrics["student/score"] == 50.0
    assert run.data.metrics["student/gflops.16"] == 0.1
    assert run.data.metrics["cost/tokens"] == 2000
    assert run.data.params[f"tasks.{TASK}.labels"] == str(made.task(TASK).labels)
    assert len(client.get_metric_history(first["run_id"], "distill/loss")) == 2

    register(made, TASK)  # as after a kill; nothing is registered twice
    assert registered() == first

    student = Path("data/models") / TASK / "student"
    shutil.rmtree(student)
    write_model(student, tiny_teacher, seed=1)
    register(made, TASK)
    second = registered()
    assert second["version"] == "2"
    assert second["run_id"] != first["run_id"]
    tags = client.get_model_version(TASK, "2").tags
    assert (tags[DECISION], second["alias"]) in (("promoted", "champion"), ("refused", "challenger"))
    score, time, rows = tags[REASONS].splitlines()
    assert score.startswith(("yes: score ", "NO: score "))
    assert "ms per text" in time
    assert rows == "yes: 40 training rows, champion 40 (required: at least 0.9 times as many)"


@pytest.mark.parametrize(
    ("name", "title"),
    [("majority", "majority class"), ("scratch", "student from scratch"), ("tfidf", "TF-IDF + logistic regression")],
)
def test_a_student_that_does_not_beat_a_baseline_is_registered_but_not_promoted(made, name, title, capsys):
    write_figures({name: 1.5})
    book = Path("data/textbooks") / TASK / "contextualized.parquet"
    book.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"sentence": ["a"] * 640}), book)
    register(made, TASK)
    assert (registered()["version"], registered()["alias"]) == ("1", "challenger")
    reason = f"The student (50.0) does not beat {title} (50.0) by more than the error of the difference."
    assert f"{TASK} version 1: NO: {reason} (to accept it, set registry.allow_worse: true)" in capsys.readouterr().out
    folder = mlflow.artifacts.download_artifacts(f"models:/{TASK}@challenger")
    first, *_ = (Path(folder) / "README.md").read_text().split(f"# {TASK}\n\n")[1].splitlines()
    assert first.startswith(
        f"**{reason} What is likely to help: The teacher itself (50.0) is hardly better than majority"
    )
    assert first.endswith(
        "Distillation read the textbook 100.0 times in 1,000 steps, which is learning it by heart:"
        " make it larger, with more general text (corpus.sources).**"
    )

    allowing = made.model_copy(update={"registry": made.registry.model_copy(update={"allow_worse": True})})
    register(allowing, TASK)
    assert (registered()["version"], registered()["alias"]) == ("1", "champion")


def test_a_version_has_its_figures_as_tags_and_the_distance_to_its_teacher_is_judged(made):
    figures = read_json(Path("data/evaluation") / f"{TASK}.json")
    figures["teacher"]["score"] = 51.5
    write_json(Path("data/evaluation") / f"{TASK}.json", figures)
    rules = made.registry.model_copy(update={"fastest_within": 1.0})
    register(made.model_copy(update={"registry": rules}), TASK)
    tags = connect().get_model_version(TASK, "1").tags
    assert (tags["score"], tags["ms_per_sentence"], tags["bytes"]) == ("50.0", "1.0", "4000")
    assert tags[REASONS] == "NO: 1.50 points below the teacher (registry.fastest_within: at most 1 below)"
    assert registered()["alias"] == "challenger"
    register(made, TASK)
    assert registered()["alias"] == "champion"


def test_without_a_comparison_the_stage_fails_and_writes_nothing(made, tiny_teacher):
    register(made, TASK)
    written = Path("data/registry") / f"{TASK}.json"
    written.unlink()  # as DVC does before it runs a stage
    student = Path("data/models") / TASK / "student"
    shutil.rmtree(student)
    write_model(student, tiny_teacher, seed=1, labels=["positive", "negative"])
    for _ in range(2):  # it is judged again each time
        with pytest.raises(
            UserError, match=r"version 2 stays challenger, not judged: .* its labels \(negative, positive"
        ):
            register(made, TASK)
        assert not written.exists()
    client = connect()
    assert str(client.get_model_version_by_alias(TASK, "champion").version) == "1"
    assert DECISION not in client.get_model_version(TASK, "2").tags
