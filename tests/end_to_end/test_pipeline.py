"""The real `dvc repro` over the whole DAG, at toy size, in a copy of the project."""

import csv
import re
import subprocess
import sys

import pytest
from mlflow import MlflowClient
from ruamel.yaml import YAML
from toy_project import ran

ALL_STAGES = {
    "params",
    "path@reviews",
    "path@tiny",
    "path@vectors",
    "sentences@forum",
    "corpus",
    "masked_lm@filler",
    "index",
    "task@films",
    "contextualized@films",
    "general@films",
    "augmented@films",
    "two_stage@films",
    "init_random",
    "init_general",
    "teacher@films",
    "distill@films",
    "scratch@films",
    "adapt@films",
    "majority@films",
    "tfidf@films",
    "embeddings@films",
    "truncated_teacher@films",
    "export@films",
    "evaluate@films",
    "register@films",
    "analysis",
    "metrics",
}


@pytest.fixture(scope="module")
def finished(project):
    """The project after its first `dvc repro`."""
    assert project.repro() == ALL_STAGES
    process = project.run("python", "-m", "pipelines.commands.report")
    assert process.returncode == 0, process.stderr
    return project


def test_nothing_runs_twice(finished):
    assert finished.repro() == set()
    assert finished.run("dvc", "status").stdout.strip() == "Data and pipelines are up to date."


def test_all_models_have_metrics(finished):
    figures = finished.json("reports/metrics.json")["films"]
    baselines = {"majority", "tfidf", "embeddings", "truncated_teacher"}
    assert set(figures) == {"teacher", "scratch", "student", "onnx"} | baselines
    assert all("paired" in figures[name] for name in figures if name != "student")
    for model in figures.values():
        assert 0 <= model["accuracy"] == model["score"] <= 100
        assert min(model["parameters"], model["bytes"], model["ms_per_sentence"]) > 0
    assert figures["student"]["bytes"] < figures["teacher"]["bytes"]
    assert (
        "films" in finished.run("dvc", "metrics", "show").stdout + finished.run("dvc", "metrics", "show", "--md").stdout
    )
    printed = finished.run("python", "-m", "pipelines.commands.summary").stdout
    assert f"{figures['teacher']['accuracy']:.1f}" in printed
    assert "make pull TASK=films" in printed


def test_the_analysis_has_a_row_for_every_textbook(finished):
    reports = finished.folder / "reports"
    sizes, diversity, overlaps = (
        list(csv.DictReader((reports / f"{name}.csv").open(newline=""))) for name in ("table1", "table3", "figure3")
    )
    corpora = ["task", "augmented", "contextualized", "general"]
    assert [(row["corpus"], row["k"]) for row in sizes] == [(name, "5" * (name == corpora[2])) for name in corpora]
    cases = dict(zip(corpora, (int(row["cases"]) for row in sizes), strict=True))
    assert cases["task"] == cases["general"] == 200 < cases["augmented"] <= 200 + 3 * 20
    assert [row["corpus"] for row in diversity] == [*corpora, *corpora[1:]]
    assert {row["top_percent"] for row in overlaps if row["corpus"] == "contextualized"} == {
        "20",
        "40",
        "60",
        "80",
        "100",
    }
    assert {row["overlap"] for row in overlaps if row["corpus"] == row["against"]} == {"100.0"}
    assert (reports / "figure3.svg").read_text() in (reports / "report.html").read_text()


def test_every_validated_output_has_a_report(finished):
    names = {path.name for path in (finished.folder / "reports" / "validation").iterdir()}
    books = {f"textbook-films-{kind}.html" for kind in ("augmented", "contextualized", "general")}
    assert names == {"corpus.html", "task-films.html", *books}


def test_mlflow_has_the_complete_run(finished):
    client = MlflowClient(f"sqlite:///{finished.folder / 'mlflow.db'}")
    registered = finished.json("data/registry/films.json")
    run = client.get_run(registered["run_id"])
    assert run.info.status == "FINISHED"
    assert run.data.params["textbooks.contextualized.k"] == "5"
    assert run.data.params["student.hidden"] == "16"
    losses = client.get_metric_history(run.info.run_id, "distill/loss")
    assert [metric.step for metric in losses] == [10, 20]
    figures = finished.json("reports/metrics.json")["films"]
    assert run.data.metrics["student/accuracy"] == figures["student"]["accuracy"]
    head = finished.run("git", "rev-parse", "HEAD").stdout.strip()
    assert run.data.tags["mlflow.source.git.commit"] == head
    assert run.data.tags["git.dirty"] == "false"
    lock = YAML(typ="safe").load(finished.folder / "dvc.lock")["stages"]
    book = lock["contextualized@films"]["outs"][1]
    assert book["path"] == "data/textbooks/films/contextualized.parquet"
    assert run.data.tags[f"dvc.{book['path']}"] == book["md5"]
    inputs = {entry.dataset.name: entry.dataset.digest for entry in run.inputs.dataset_inputs}
    assert inputs[book["path"]] == book["md5"]
    assert {"data/corpus", "data/tasks/films"} <= set(inputs)
    version = client.get_model_version_by_alias("films", "champion")
    assert (str(version.version), version.run_id) == (registered["version"], run.info.run_id)


def test_the_pulled_model_is_a_plain_pipeline(finished, tmp_path):
    process = finished.run("python", "-m", "pipelines.commands.pull", "films", "champion", str(tmp_path / "model"))
    assert process.returncode == 0, process.stderr
    code = "import sys, transformers as t; print(t.pipeline('text-classification', sys.argv[1])('great film'))"
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", code, str(tmp_path / "model")], capture_output=True, text=True, cwd=tmp_path
    )
    assert re.search(r"'label': '(bad|good)'", loaded.stdout), loaded.stderr


def test_a_wrong_parameter_stops_the_run_before_any_other_stage(finished):
    finished.change(textbooks__contextualized__k=0)
    process = finished.run("dvc", "repro")
    finished.change(textbooks__contextualized__k=5)
    assert process.returncode != 0
    assert ran(process) == {"params"}
    errors = [line for line in process.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "textbooks.contextualized.k = 0: " in errors[0]
    assert "greater than 0" in errors[0]


def test_a_missing_column_is_one_line_and_leaves_nothing_behind(finished):
    finished.change(tasks__films__label="stars")
    process = finished.run("dvc", "repro", "task@films")
    data = finished.folder / "data"
    leftovers = [*data.rglob("*.partial*"), *(data / "tasks").iterdir()]
    finished.change(tasks__films__label="label")
    assert process.returncode != 0
    errors = [line for line in process.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "reviews.csv: has no column 'stars'; it has text, label, source" in errors[0]
    assert leftovers == []


def test_another_k_reruns_only_retrieval_and_the_stages_after_it(finished):
    assert finished.repro() <= {"params", "task@films"}  # the stages that failed in the two tests above
    finished.change(textbooks__contextualized__k=3)
    after = {f"{stage}@films" for stage in ("two_stage", "distill", "adapt", "export", "evaluate", "register")}
    assert finished.repro() == {"params", "contextualized@films", *after, "analysis", "metrics"}
    registered = finished.json("data/registry/films.json")
    assert registered["version"] == "2"
    version = MlflowClient(f"sqlite:///{finished.folder / 'mlflow.db'}").get_model_version("films", "2")
    assert registered["alias"] == ("champion" if version.tags["gate.decision"] == "promoted" else "challenger")
    assert version.tags["gate.reasons"].count("200 training rows, champion 200") == 1
