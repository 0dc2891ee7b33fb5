"""Tasks of a user's own, by the documentation: its commands, typed in their order, its profile and its keys of a task.

Only paths are changed, and the sizes of the toy project stand for those of the shipped parameters.
"""

import csv
import json
import random
import re
import shutil
import subprocess
import sys

import pytest
from ruamel.yaml import YAML
from toy_markdown import ROOT, blocks
from toy_project import make_project, warm_python

from conftest import BAD, COMMON, GOOD, make_reviews

README, PAGE = ROOT / "README.md", ROOT / "docs" / "task.md"


def block(page, language, word):
    """The block of a page that has this word."""
    (found,) = (code for code in blocks(page, language) if word in code)
    return found


def parsed(code):
    return YAML(typ="safe", pure=True).load(code)


def write_table(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def write_tickets(folder) -> None:
    """Write labelled tickets, and posts of a forum in two files."""
    rows = [(number, text, ["no", "yes"][label]) for number, (text, label) in enumerate(make_reviews(240, seed=2))]
    write_table(folder / "tickets.csv", ["id", "message", "urgent"], rows)
    texts = [f"{text.capitalize()}." for text, _ in make_reviews(600, seed=3)]
    posts = [[f"{first} {second}"] for first, second in zip(texts[::2], texts[1::2], strict=True)]
    for number in range(2):
        write_table(folder / "forum" / f"{number}.csv", ["body"], posts[number::2])


@pytest.fixture(scope="module")
def own_project(tmp_path_factory, tiny_teacher):
    """The project after `make setup`, with toy parameters as the shipped ones."""
    project = make_project(tmp_path_factory.mktemp("own"), tiny_teacher)
    programs = project.folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(warm_python() / "python")
    (programs.parent / ".ready").touch()
    shutil.copy(project.folder / "params.yaml", project.folder / "profiles" / "default.yaml")
    return project


def type_in(project, commands):
    """Run commands as a shell does to which they are typed, up to the first that fails."""
    process = project.run("bash", "-e", "-c", commands)
    assert process.returncode == 0, process.stdout[-3000:] + process.stderr[-3000:]
    return process.stdout


def answers(code, folder):
    """What an interactive Python without the project prints when a block of code is typed."""
    process = subprocess.run([sys.executable, "-I", "-i"], input=code, capture_output=True, text=True, cwd=folder)
    assert "Traceback" not in process.stderr, process.stderr
    return process.stdout


def test_from_a_file_to_an_answer(own_project):
    write_tickets(own_project.folder)
    printed = type_in(own_project, block(PAGE, "sh", "new-task"))
    assert printed.index("Nothing was written") < printed.index("Added the task tickets to params.yaml")
    assert "tickets: registered as version 1, champion" in printed
    answer = answers(block(PAGE, "python", "pulled/tickets"), own_project.folder)
    assert re.fullmatch(r"\[\{'label': '(no|yes)', 'score': 0\.\d+\}\]\n", answer)


def test_from_a_profile_to_an_answer(own_project, tmp_path):
    write_tickets(tmp_path)
    profile = block(README, "yaml", "urgent")
    assert parsed(block(PAGE, "yaml", "urgent: #")) == parsed(profile)
    local = profile.replace("/data/", f"{tmp_path}/").replace("  path:\n", "  path:\n    tiny: {path: toy/teacher}\n")
    (own_project.folder / "profiles" / "urgent.yaml").write_text(local)
    printed = type_in(own_project, block(README, "sh", "PROFILE=urgent"))
    assert "urgent: registered as version 1, champion" in printed
    assert "urgent version 1 is in pulled/urgent" in printed
    answer = answers(block(README, "python", "pulled/urgent"), own_project.folder)
    assert re.fullmatch(r"\[\{'label': '(no|yes)', 'score': 0\.\d+\}\]\n", answer)


LABELS = ["agrees", "contradicts", "n/a"]


def write_claims(path) -> None:
    """Write pairs that agree, contradict each other or have a text without an opinion, and rows to leave out."""
    rng = random.Random(0)
    rows = []
    for number in range(300):
        kinds = [rng.choice([GOOD, BAD, COMMON]) for _ in range(2)]
        verdict = "n/a" if COMMON in kinds else LABELS[kinds[0] is not kinds[1]]
        texts = (" ".join([*rng.choices(COMMON, k=3), rng.choice(kind), str(number)]) for kind in kinds)
        rows.append([number, *texts, verdict, rng.choice(["en", "de"]), "true"])
    rows += [[300, "le film", "un film", "d'accord", "fr", "true"], [301, "the film", "a film", "?", "en", "false"]]
    write_table(path, ["id", "claim", "reply", "verdict", "language", "checked"], rows)


@pytest.fixture(scope="module")
def own(tmp_path_factory, tiny_teacher):
    """A project after `dvc repro` with only the task of pairs and three classes that shows all keys."""
    project = make_project(tmp_path_factory.mktemp("pairs"), tiny_teacher)
    write_claims(project.folder / "toy" / "claims" / "claims.csv")
    project.change(
        assets__path__claims={"path": "toy/claims"},
        tasks=parsed(block(PAGE, "yaml", "reply"))["tasks"],
        textbooks__augmented={},
        adapt__targets="both",
        adapt__class_weights="balanced",
        adapt__patience=1,
    )
    process = project.run("dvc", "repro", "metrics", "register")
    assert process.returncode == 0, process.stdout[-3000:] + process.stderr[-3000:]
    return project


def test_the_pulled_model_answers_with_the_labels_of_the_file(own, tmp_path):
    process = own.run("python", "-m", "pipelines.commands.pull", "support", "champion", str(tmp_path / "model"))
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
    figures = own.json("reports/metrics.json")["support"]
    for model in figures.values():
        assert model["score"] == model["macro_f1"]
        assert 0 <= model["accuracy"] <= 100
        assert set(model.get("ms", {})) in (set(), {"1x16", "1x64", "32x16", "32x64"})
    assert [name for name in figures if "ms" not in figures[name]] == ["majority", "tfidf", "embeddings"]
    assert figures["teacher"]["gflops"]["16"] > figures["student"]["gflops"]["16"] >= 0
    assert "macro F1" in own.run("python", "-m", "pipelines.commands.summary").stdout
