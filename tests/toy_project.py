"""A copy of the project at toy size, in which tests run commands like a user."""

import csv
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from ruamel.yaml import YAML
from warm_python import write_client

from conftest import COMMON, make_reviews

ROOT = Path(__file__).parents[1]
yaml = YAML()


@cache
def warm_python() -> Path:
    """Start a server that runs stages with imports done already; the folder of the `python` that uses it."""
    folder = Path(mkdtemp(prefix="warm-"))
    address = folder / "socket"
    environment = {**os.environ, "MLFLOW_LOGGING_LEVEL": "WARNING", "GX_ANALYTICS_ENABLED": "false"}
    command = [sys.executable, Path(__file__).with_name("warm_python.py"), "serve", address]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    while not address.exists():
        assert server.poll() is None
        time.sleep(0.05)
    write_client(folder / "python", address)
    return folder


class Project:
    """A copy of the project, and the actions of its user."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = os.pathsep.join([str(warm_python()), str(Path(sys.executable).parent), os.environ["PATH"]])
        self.environment = {**os.environ, "PATH": path, "PYTHONPATH": "src", "TQDM_DISABLE": "1"}
        self.environment.pop("MLFLOW_TRACKING_URI", None)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)

    def repro(self) -> set[str]:
        """Run `dvc repro`, and return the stages that ran."""
        process = self.run("dvc", "repro")
        assert process.returncode == 0, process.stdout[-3000:] + process.stderr[-3000:]
        return ran(process)

    def change(self, **values: object) -> None:
        """Set parameters, such as `distill__steps=3`."""
        params = yaml.load(self.folder / "params.yaml")
        for key, value in values.items():
            *sections, last = key.split("__")
            node = params
            for section in sections:
                node = node[section]
            node[last] = value
        yaml.dump(params, self.folder / "params.yaml")

    def delete_runs(self) -> None:
        """Delete all runs in MLflow."""
        from mlflow import MlflowClient  # slow to import

        client = MlflowClient(f"sqlite:///{self.folder / 'mlflow.db'}")
        for experiment in client.search_experiments():
            for run in client.search_runs([experiment.experiment_id], max_results=1000):
                client.delete_run(run.info.run_id)

    def json(self, path: str):
        return json.loads((self.folder / path).read_text())


def ran(process: subprocess.CompletedProcess[str]) -> set[str]:
    """The stages that a `dvc repro` ran."""
    return set(re.findall(r"Running stage '(.+?)'", process.stdout))


def write_data(path: Path) -> None:
    """Write a table of labelled reviews and of general texts with three sentences each."""
    rng = random.Random(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label", "source"])
        for text, label in make_reviews(240, seed=0):
            writer.writerow([text, label, "films"])
        for number in range(300):
            sentences = [
                " ".join(rng.choices([*COMMON, "great", "dull", "warm"], k=8)).capitalize() + f" {number}."
                for _ in range(3)
            ]
            writer.writerow([" ".join(sentences), 0, "forum"])


def make_project(folder: Path, teacher: Path) -> Project:
    """Copy the project, set toy parameters, and commit everything to git. No stage has run."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file() and name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    shutil.copytree(teacher, folder / "toy" / "teacher")
    write_data(folder / "toy" / "reviews.csv")
    (folder / "toy" / "vectors.txt").write_text("great 1 0\nfine 0.9 0.1\n")
    project = Project(folder)
    task = {"asset": "reviews", "where": {"source": "films"}, "text": ["text"], "label": "label"}
    project.change(
        assets={
            "wheel": {},
            "archive": {},
            "path": {
                "reviews": {"path": "toy/reviews.csv"},
                "tiny": {"path": "toy/teacher"},
                "vectors": {"path": "toy/vectors.txt"},
            },
            "hub": {},
            "url": {},
            "dataset": {},
            "masked_lm": {
                "filler": {
                    "encoder": "tiny",
                    "sentences": 100,
                    "steps": 5,
                    "batch": 8,
                    "lr": 1e-3,
                    "warmup": 0.1,
                    "weight_decay": 0.01,
                    "max_length": 32,
                    "seed": 0,
                }
            },
        },
        corpus__sources={"forum": {"asset": "reviews", "column": "text", "where": {"source": "forum"}}},
        tasks={"films": {**task, "labels": ["bad", "good"], "holdout": 40, "seed": 0}},
        textbooks__contextualized__k=5,
        textbooks__general__sentences=200,
        textbooks__augmented={
            "films": {
                "masked_lm": "filler",
                "vectors": "vectors",
                "varied": 20,
                "variants": 3,
                "probability": 0.4,
                "candidates": 5,
                "batch": 16,
                "seed": 0,
            }
        },
        teacher__asset="tiny",
        teacher__lr=3e-3,
        teacher__epochs=4,
        student={"layers": 1, "hidden": 16, "heads": 2, "intermediate": 32},
        distill__relation_heads=4,
        distill__steps=20,
        distill__batch=16,
        general_init__steps=10,
        adapt__epochs=1,
        evaluate__latency_sentences=5,
        registry__allow_worse=True,  # a student after 20 steps is not worth it
        sweep={
            "inits": ["random", "general"],
            "teachers": ["task", "general"],
            "textbooks": ["general", "augmented", "contextualized", "contextualized+augmented"],
            "top_percents": [100],
            "seeds": [0],
            "students": {},
            "cohort": 8,
            "cpus": 1,
            "gpus": 0,
            "retries": 3,
            "asha": None,
            "set": {"distill.steps": 30},
            "tasks": {},
        },
    )
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "toy"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return project
