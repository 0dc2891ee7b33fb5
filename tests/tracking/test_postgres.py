"""The team's server: MLflow over a real PostgreSQL with artefacts through the server, and its compose file."""

import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from textbook.models.classifier import load_classifier
from textbook.models.encoder import load_tokenizer
from textbook.params import Registry
from textbook.training.engine.log import log_to_file
from tracking.promotion import TRAINING_ROWS, Measured, pass_gate, rollback
from tracking.pull import pull
from tracking.record import Record
from tracking.registry import register
from tracking.runs import record_cell
from tracking.server import SERVER_SETTINGS, free_port, wait_until_healthy
from tracking.store import connect
from tracking.sweeps import end_sweep, start_sweep

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or list(
    filter(None, [shutil.which("initdb") and Path(str(shutil.which("initdb")))])
)
MEASURED = Measured(score=80.0, ms_per_sentence=2.0, training_rows=10, behind=0.0)


@pytest.fixture
def database(tmp_path):
    """The URI of an empty database in a temporary PostgreSQL server."""
    programs, port = PROGRAMS[-1].parent, free_port()
    # PostgreSQL refuses to run as root, and its user cannot read pytest's folders, which belong to root.
    user = "nobody" if os.getuid() == 0 else None
    folder = Path(subprocess.check_output(["mktemp", "-d", "/tmp/pg.XXXXXX"], text=True).strip())
    if user:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)

    def run(*command):
        subprocess.run(command, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)

    data = folder / "data"
    run(programs / "initdb", "--pgdata", data, "--username", "mlflow", "--auth", "trust", "--no-sync")
    options = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off"
    run(programs / "pg_ctl", "--pgdata", data, "--wait", "--log", folder / "log", "--options", options, "start")
    run(programs / "createdb", "--host", "127.0.0.1", "--port", str(port), "--username", "mlflow", "mlflow")
    yield f"postgresql+psycopg2://mlflow@127.0.0.1:{port}/mlflow"
    run(programs / "pg_ctl", "--pgdata", data, "--mode", "immediate", "stop")
    shutil.rmtree(folder)


@pytest.fixture
def server(database, tmp_path, monkeypatch):
    """The URI of the team's server over the database. `MLFLOW_TRACKING_URI` is set to it."""
    monkeypatch.chdir(tmp_path)
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "2"]
    command += ["--backend-store-uri", database, "--artifacts-destination", str(tmp_path / "store")]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, start_new_session=True, env={**os.environ, **SERVER_SETTINGS}
        )
    wait_until_healthy(uri, process, tmp_path / "log")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    yield uri
    os.killpg(process.pid, signal.SIGTERM)
    process.wait()


@pytest.mark.skipif(not PROGRAMS, reason="no PostgreSQL on this machine")
def test_a_sweep_and_its_models_over_postgresql(server, tiny_teacher, tmp_path):
    folder = tmp_path / "classifier"
    load_classifier(tiny_teacher, ["bad", "good"], seed=0).save_pretrained(folder)
    load_tokenizer(tiny_teacher).save_pretrained(folder)
    log = log_to_file(tmp_path / "history.jsonl")
    for step in range(1, 51):
        log(step, {"loss": 1 / step})
    client = connect()
    sweep = start_sweep(client, "textbook", "sweep", "grid", {})
    record = Record(
        "first",
        "films",
        "random",
        "task",
        "general",
        params={"distill.steps": 50},
        curves={"distill": tmp_path / "history.jsonl"},
        metrics={"student/score": 80.0},
        model=folder,
        example=["a great film"],
    )
    rules = Registry(margin=1, max_slowdown=1, min_data=1, allow_worse=False, fastest_within=None)
    for digest, score in (("first", 80.0), ("second", 90.0)):
        run_id = record_cell(client, sweep.experiment, replace(record, digest=digest), parent=sweep.run_id)
        assert len(client.get_metric_history(run_id, "distill/loss")) == 50
        version = register(client, "films", run_id, {TRAINING_ROWS: "10"}, "from a test")

        def compare(_folder, _rows, score=score):
            return MEASURED, replace(MEASURED, score=score)

        assert pass_gate(client, "films", version, compare, rules) == "champion"
    (tmp_path / "sweep.csv").write_text("task\n")
    end_sweep(client, sweep, [tmp_path / "sweep.csv"], "- **A claim.** Undecided.", complete=True)
    runs = client.search_runs([sweep.experiment])
    assert [run.info.status for run in runs] == ["FINISHED"] * 3
    assert runs[0].info.artifact_uri.startswith("mlflow-artifacts:/")
    assert pull("films", "champion", tmp_path / "pulled") == "2"
    assert (tmp_path / "pulled" / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    assert rollback(client, "films") == ("2", "1")


def test_the_compose_file_pins_its_images_and_has_no_passwords():
    text = (ROOT / "tracking" / "compose.yaml").read_text()
    file = YAML(typ="safe").load(text)
    services = file["services"]
    images = [service["image"] for service in services.values()] + re.findall(r"FROM (\S+)", text)
    assert all(re.search(r":v?\d+(\.\d+)+", image) for image in images)
    assert images[-1] == f"ghcr.io/mlflow/mlflow:v{__import__('mlflow').__version__}"
    secrets = [
        value
        for service in services.values()
        for name, value in service.get("environment", {}).items()
        if re.search("PASSWORD|SECRET|ACCESS_KEY", name) or "PASSWORD" in str(value)
    ]
    assert len(secrets) == 7
    assert all(re.search(r"\$\{\w+:\?set it in \.env\}", value) for value in secrets)
    assert [service.get("ports") for service in services.values() if service.get("ports")] == [
        ["${MLFLOW_BIND:-127.0.0.1}:${MLFLOW_PORT:-5000}:5000"]
    ]
    for service in services.values():
        assert set(service["networks"]) <= set(file["networks"])
        assert set(service.get("depends_on", {})) <= set(services)
        assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= set(file["volumes"])
        assert {config["source"] for config in service.get("configs", [])} <= set(file["configs"])
        assert "healthcheck" in service


def packages(path):
    """The pinned packages of a file of requirements, with their hashes."""
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", path.read_text())
    return {block.split()[0]: re.findall(r"sha256:\w+", block) for block in blocks if "==" in block}


def test_the_image_installs_what_is_locked_by_hash():
    (install,) = re.findall("RUN (pip .*)", (ROOT / "tracking" / "compose.yaml").read_text())
    assert install.endswith("--no-deps --require-hashes -r /tmp/requirements.txt")
    added = packages(ROOT / "tracking" / "requirements.txt")
    assert [name.split("==")[0] for name in added] == ["boto3", "botocore", "jmespath", "psycopg2-binary", "s3transfer"]
    assert added.items() <= packages(ROOT / "requirements.lock").items()
    assert all(added.values())
