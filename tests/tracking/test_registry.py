"""Registered models: their files, the gate, rollback and pull."""

import json
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from urllib.request import Request, urlopen

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from toy_registry import CHAMPION, RULES, add, aliases, make_record, no_comparison, with_score

from textbook.errors import UserError
from textbook.files import sha256
from tracking.promotion import DECISION, TRAINING_ROWS, compare_versions, pass_gate, rollback
from tracking.pull import pull
from tracking.registry import REASONS
from tracking.server import free_port

LOAD = """
import json, sys
from transformers import pipeline
print(json.dumps(pipeline("text-classification", sys.argv[1])(sys.argv[2])))
print(json.dumps([name for name in sys.modules if name.split(".")[0] in ("textbook", "pipelines", "tracking")]))
"""


@pytest.fixture
def record(tiny_teacher, tmp_path):
    return make_record(tiny_teacher, tmp_path / "classifier")


@pytest.fixture
def registered(client, experiment, record):
    """The record, registered as the champion of `reviews`."""
    assert add(client, experiment, record, "first") == "1"
    assert pass_gate(client, "reviews", "1", no_comparison, RULES) == "champion"
    return record


def test_a_pulled_model_works_in_a_process_without_our_code(registered, tmp_path):
    assert pull("reviews", "champion", tmp_path / "pulled") == "1"
    command = [sys.executable, "-I", "-c", LOAD, str(tmp_path / "pulled"), "the film is great"]
    process = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/")
    prediction, project_modules = (json.loads(line) for line in process.stdout.splitlines()[-2:])
    assert prediction[0]["label"] in ("bad", "good")
    assert project_modules == []


@pytest.mark.slow
def test_a_pulled_model_can_be_served(registered, tmp_path):
    pull("reviews", "champion", tmp_path / "pulled")
    port = free_port()
    options = ["--host", "127.0.0.1", "--port", str(port), "--env-manager", "local", "--workers", "1"]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(tmp_path / "pulled"), *options]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        request = Request(
            f"http://127.0.0.1:{port}/invocations",
            json.dumps({"inputs": ["the film is great", "dull"]}).encode(),
            {"Content-Type": "application/json"},
        )
        answer = None
        for _ in range(240):
            try:
                answer = json.load(urlopen(request, timeout=30))
                break
            except OSError:
                assert server.poll() is None, (tmp_path / "log").read_text()
                time.sleep(0.5)
    finally:
        server.terminate()
        server.wait()
    expected = mlflow.pyfunc.load_model("models:/reviews@champion").predict(["the film is great", "dull"])
    assert answer is not None
    assert [row["label"] for row in answer["predictions"]] == list(expected["label"])
    assert [row["score"] for row in answer["predictions"]] == pytest.approx(list(expected["score"]))


def test_the_registered_model_has_a_signature_an_example_and_pinned_requirements(registered):
    info = mlflow.models.get_model_info("models:/reviews@champion")
    assert info.signature.inputs.input_types()
    assert info.saved_input_example_info
    folder = mlflow.artifacts.download_artifacts("models:/reviews@champion")
    lines = Path(folder, "requirements.txt").read_text().split()
    assert {line.split("==")[0] for line in lines} == {"mlflow", "torch", "transformers", "safetensors"}
    assert all(re.fullmatch(r"\w+==[\d.]+", line) for line in lines)


def test_the_card_comes_with_the_model(registered, client, tmp_path):
    pull("reviews", "champion", tmp_path / "pulled")
    card = (tmp_path / "pulled" / "README.md").read_text()
    for text in (
        "| student/score | 81.25 |",
        "d1ce",
        "c0ffee",
        "with uncommitted changes",
        "device_hours: 0.5",
        "bad, good",
    ):
        assert text in card
    assert "| teacher.asset | large\\|one |" in card
    assert client.get_model_version("reviews", "1").description == "from a test"


def test_a_registered_model_keeps_its_version(registered, client, experiment):
    assert add(client, experiment, registered, "first") == "1"
    assert pass_gate(client, "reviews", "1", no_comparison, RULES) == "champion"


def test_the_gate_marks_each_broken_rule():
    assert compare_versions(CHAMPION, replace(CHAMPION, score=80.6), RULES)[0]
    for change in ({"score": 80.5}, {"score": 90, "ms_per_sentence": 3.1}, {"score": 90, "training_rows": 899}):
        promoted, reasons = compare_versions(CHAMPION, replace(CHAMPION, **change), RULES)
        assert not promoted
        assert [reason.startswith("NO: ") for reason in reasons].count(True) == 1


def test_a_version_that_is_not_better_stays_challenger(registered, client, experiment, tmp_path):
    version = add(client, experiment, registered, "second")
    assert str(client.get_model_version_by_alias("reviews", "challenger").version) == version
    assert pass_gate(client, "reviews", version, with_score(80.1), RULES) == "challenger"
    tags = client.get_model_version("reviews", version).tags
    assert tags[DECISION] == "refused"
    assert "NO: score 80.10, champion 80.00" in tags[REASONS]
    assert pull("reviews", "champion", tmp_path / "champion") == "1"
    assert pull("reviews", "challenger", tmp_path / "challenger") == version


def test_a_better_version_becomes_champion_and_can_be_rolled_back(registered, client, experiment, tmp_path):
    for digest, score in (("second", 70), ("third", 90)):
        version = add(client, experiment, registered, digest)
        pass_gate(client, "reviews", version, with_score(score), RULES)
    assert pull("reviews", "champion", tmp_path / "pulled") == "3"
    assert rollback(client, "reviews") == ("3", "1")
    assert pull("reviews", "champion", tmp_path / "pulled") == "1"
    with pytest.raises(UserError, match="no earlier version than 1 was champion"):
        rollback(client, "reviews")
    with pytest.raises(UserError, match="no version '7'; it has 1, 2, 3"):
        rollback(client, "reviews", "7")
    assert rollback(client, "reviews", "2") == ("1", "2")


def test_a_deleted_registered_model_is_created_again(registered, client, experiment, tmp_path):
    client.delete_registered_model("reviews")
    with pytest.raises(UserError, match=r"no model 'reviews' .*`dvc repro --force --single-item register@reviews`"):
        pull("reviews", "champion", tmp_path / "pulled")
    with pytest.raises(UserError, match="no model 'reviews'"):
        rollback(client, "reviews")
    assert add(client, experiment, registered, "first") == "1"
    assert pass_gate(client, "reviews", "1", no_comparison, RULES) == "champion"


def lose_files(client, tmp_path):
    shutil.rmtree(tmp_path / "mlartifacts")


def damage_weights(client, tmp_path):
    next((tmp_path / "mlartifacts").rglob("model.safetensors")).write_bytes(b"")


def lose_the_tag_of_the_rows(client, tmp_path):
    client.delete_model_version_tag("reviews", "1", TRAINING_ROWS)


def refuse_labels(folder, rows):
    raise UserError("its labels (bad, good) differ")


def fill_disk(folder, rows):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("harm", "compare", "reason"),
    [
        (lose_files, no_comparison, "none (missing)"),
        (damage_weights, no_comparison, "has the SHA-256"),
        (lose_the_tag_of_the_rows, no_comparison, "training_rows is ''"),
        (None, refuse_labels, "its labels (bad, good) differ"),
        (None, fill_disk, "No space left on device"),
    ],
)
def test_a_version_that_cannot_be_compared_stays_challenger_until_it_can(
    registered, client, experiment, tmp_path, harm, compare, reason
):
    if harm:
        harm(client, tmp_path)
    version = add(client, experiment, registered, "second")
    with pytest.raises(UserError) as error:
        pass_gate(client, "reviews", version, compare, RULES)
    assert str(error.value).startswith(
        f"reviews version {version} stays challenger, not judged: the champion, version 1"
    )
    assert reason in str(error.value)
    assert str(error.value).endswith(f"make rollback TASK=reviews VERSION={version}")
    assert aliases(client) == {"champion": "1", "challenger": version}
    tags = client.get_model_version("reviews", version).tags
    assert reason in tags[REASONS]
    assert DECISION not in tags
    if not harm:
        assert pass_gate(client, "reviews", version, with_score(90), RULES) == "champion"
        assert aliases(client) == {"champion": version}
    else:
        assert rollback(client, "reviews", version) == ("1", version)
        assert pass_gate(client, "reviews", version, no_comparison, RULES) == "champion"


@pytest.mark.parametrize("failing", ["search_registered_models", "get_model_version", "search_logged_models"])
def test_a_registry_that_does_not_answer_promotes_nothing(registered, client, experiment, monkeypatch, failing):
    version = add(client, experiment, registered, "second")

    def time_out(*_):
        raise MlflowException("timed out\nand more")

    with monkeypatch.context() as patch:
        patch.setattr(client, failing, time_out)
        with pytest.raises(UserError, match="timed out"):
            pass_gate(client, "reviews", version, no_comparison, RULES)
    assert aliases(client) == {"champion": "1", "challenger": version}
    assert DECISION not in client.get_model_version("reviews", version).tags


@pytest.mark.parametrize("what", ["version", "model"])
def test_a_deleted_champion_is_replaced(registered, client, experiment, what):
    if what == "version":
        client.delete_model_version("reviews", "1")
    else:
        (model,) = client.search_logged_models([experiment])
        client.delete_logged_model(model.model_id)
    version = add(client, experiment, registered, "second")
    assert pass_gate(client, "reviews", version, no_comparison, RULES) == "champion"


def test_a_promotion_that_was_killed_is_completed(registered, client):
    client.delete_model_version_tag("reviews", "1", DECISION)  # written last
    assert pass_gate(client, "reviews", "1", no_comparison, RULES) == "champion"
    assert client.get_model_version("reviews", "1").tags[DECISION] == "promoted"


def test_a_deleted_logged_model_is_logged_again(registered, client, experiment, tmp_path):
    (model,) = client.search_logged_models([experiment])
    client.delete_logged_model(model.model_id)
    client.delete_registered_model("reviews")
    assert add(client, experiment, registered, "first") == "1"
    assert pass_gate(client, "reviews", "1", no_comparison, RULES) == "champion"
    assert pull("reviews", "champion", tmp_path / "pulled") == "1"


def test_a_missing_model_is_a_clear_error(registered, tmp_path):
    with pytest.raises(
        UserError, match=r"no model 'nothing' with the alias 'champion' is registered \(registered: reviews\)"
    ):
        pull("nothing", "champion", tmp_path / "pulled")
    assert not (tmp_path / "pulled").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "MLmodel", "README.md"])
def test_a_changed_file_is_refused(registered, tmp_path, name):
    path = next((tmp_path / "mlartifacts").rglob(name))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=rf"file \S*{name} has the SHA-256 \w+; registered is \w+$"):
        pull("reviews", "champion", tmp_path / "pulled")
    assert not (tmp_path / "pulled").exists()


def test_what_mlflow_loads_is_described_here(registered, client, tmp_path):
    """Whoever writes to the registry can change the description and its hash, but not what is run."""
    path = next((tmp_path / "mlartifacts").rglob("MLmodel"))
    path.write_text(
        path.read_text().replace("loader_module: mlflow.transformers", "loader_module: evil\n    code: evil")
    )
    client.set_model_version_tag("reviews", "1", "sha256.MLmodel", sha256(path))
    pull("reviews", "champion", tmp_path / "pulled")
    assert "evil" not in (tmp_path / "pulled" / "MLmodel").read_text()
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "pulled"))
    assert set(loaded.predict(["the film is great"])["label"]) <= {"bad", "good"}


def test_pickles_and_added_files_are_refused(registered, tmp_path):
    weights = next((tmp_path / "mlartifacts").rglob("model.safetensors"))
    shutil.copy(weights, weights.with_name("pytorch_model.bin"))
    with pytest.raises(UserError, match=r"has files that no model of this project has: model/pytorch_model\.bin"):
        pull("reviews", "champion", tmp_path / "pulled")
    weights.with_name("pytorch_model.bin").rename(weights.with_name("model-00001-of-00002.safetensors"))
    with pytest.raises(UserError, match=r"registered is none \(no such file\)"):
        pull("reviews", "champion", tmp_path / "pulled")
