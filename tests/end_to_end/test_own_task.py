"""A user's task from a CSV file to a model that answers with its labels. It has pairs of texts and three classes."""

import csv
import json
import random
import subprocess
import sys

import pytest
from toy_project import make_project

from conftest import BAD, COMMON, GOOD

LABELS = ["agrees", "contradicts", "n/a"]
# The user's entry in params.yaml.
TASK = {
    "asset": "claims",
    "text": ["claim", "reply"],
    "label": "verdict",
    "labels": LABELS,
    "metrics": ["macro_f1", "accuracy"],
    "holdout": 0.2,
}


def write_claims(path) -> None:
    """Write pairs that agree, contradict each other, or have a text without an opinion (`n/a`)."""
    rng = random.Random(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "claim", "verdict", "reply"])
        for number in range(300):
            kinds = [rng.choice([GOOD, BAD, COMMON]) for _ in range(2)]
            verdict = "n/a" if COMMON in kinds else LABELS[kinds[0] is not kinds[1]]
            claim, reply = (" ".join([*rng.choices(COMMON, k=3), rng.choice(kind), str(number)]) for kind in kinds)
            writer.writerow([number, claim, verdict, reply])


@pytest.fixture(scope="module")
def own(tmp_path_factory, tiny_teacher):
    """The project after `dvc repro` with only this task."""
    own_project = make_project(tmp_path_factory.mktemp("own"), tiny_teacher)
    write_claims(own_project.folder / "toy" / "claims.csv")
    own_project.change(
        assets__path__claims={"path": "toy/claims.csv"},
        tasks={"verdict": TASK},
        textbooks__augmented={},
        adapt__targets="both",
        adapt__class_weights="balanced",
        adapt__patience=1,
    )
    process = own_project.run("dvc", "repro", "metrics", "register")
    assert process.returncode == 0, process.stdout[-3000:] + process.stderr[-3000:]
    return own_project


def test_the_pulled_model_answers_with_the_labels_of_the_file(own, tmp_path):
    process = own.run("python", "-m", "pipelines.commands.pull", "verdict", "champion", str(tmp_path / "model"))
    assert process.returncode == 0, process.stderr
    code = """
import json, sys, transformers
model = transformers.pipeline("text-classification", sys.argv[1])
predictions = model({"text": "the film was great 7", "text_pair": "the plot was dull 7"}, top_k=None)
print(json.dumps([predictions, model.model.config.id2label]))
"""
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", code, str(tmp_path / "model")], capture_output=True, text=True, cwd=tmp_path
    )
    assert loaded.returncode == 0, loaded.stderr
    predictions, names = json.loads(loaded.stdout.splitlines()[-1])
    assert names == dict(zip("012", LABELS, strict=True))
    assert {prediction["label"] for prediction in predictions} == set(LABELS)
    assert sum(prediction["score"] for prediction in predictions) == pytest.approx(1)


def test_every_model_has_the_tasks_own_metrics_and_its_costs(own):
    figures = own.json("reports/metrics.json")["verdict"]
    for model in figures.values():
        assert model["score"] == model["macro_f1"]
        assert 0 <= model["accuracy"] <= 100
        assert set(model.get("ms", {})) in (set(), {"1x16", "1x64", "32x16", "32x64"})
    assert [name for name in figures if "ms" not in figures[name]] == ["majority", "tfidf", "embeddings"]
    assert figures["teacher"]["gflops"]["16"] > figures["student"]["gflops"]["16"] >= 0
    assert "macro F1" in own.run("python", "-m", "pipelines.commands.summary").stdout
