import json
import shutil
import subprocess
import sys

import mlflow
import pytest

from textbook.errors import UserError
from textbook.models.classifier import load_classifier
from textbook.models.encoder import load_tokenizer
from tracking.pull import pull
from tracking.registry import register
from tracking.store import connect, experiment_id

LOAD = """
import json, sys
from transformers import pipeline
print(json.dumps(pipeline("text-classification", sys.argv[1])(sys.argv[2])))
print(json.dumps([name for name in sys.modules if name.split(".")[0] in ("textbook", "pipelines", "tracking")]))
"""


@pytest.fixture
def registered(tiny_teacher, tmp_path, monkeypatch):
    """A classifier registered as `reviews` in a store of its own; gives the folder that was registered."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = tmp_path / "classifier"
    load_classifier(tiny_teacher, ["bad", "good"], seed=0).save_pretrained(folder)
    load_tokenizer(tiny_teacher).save_pretrained(folder)
    client = connect()
    with mlflow.start_run(experiment_id=experiment_id(client, "test")):
        assert register(client, "reviews", folder, ["sentence"], ["the film is great"]) == "1"
    return folder


def test_a_pulled_model_works_in_a_process_without_our_code(registered, tmp_path):
    assert pull("reviews", "champion", tmp_path / "pulled") == "1"
    command = [sys.executable, "-I", "-c", LOAD, str(tmp_path / "pulled"), "the film is great"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/")
    prediction, ours = (json.loads(line) for line in done.stdout.splitlines()[-2:])
    assert prediction[0]["label"] in ("bad", "good")
    assert ours == []


def test_the_registered_model_can_be_loaded_by_mlflow(registered):
    found = mlflow.pyfunc.load_model("models:/reviews@champion").predict(["the film is great", "dull"])
    assert set(found["label"]) <= {"bad", "good"}
    assert mlflow.models.get_model_info("models:/reviews@champion").signature is not None


def test_a_new_version_becomes_champion(registered, tmp_path):
    client = connect()
    with mlflow.start_run(experiment_id=experiment_id(client, "test")):
        assert register(client, "reviews", registered, ["sentence"], ["dull"]) == "2"
    assert pull("reviews", "champion", tmp_path / "pulled") == "2"


def test_a_model_that_is_not_there_is_a_clear_error(registered, tmp_path):
    with pytest.raises(
        UserError, match=r"no model 'nothing' with the alias 'champion' is registered \(registered: reviews\)"
    ):
        pull("nothing", "champion", tmp_path / "pulled")
    assert not (tmp_path / "pulled").exists()


def weights(tmp_path):
    return next((tmp_path / "mlartifacts").rglob("model.safetensors"))


def test_changed_weights_are_refused(registered, tmp_path):
    path = weights(tmp_path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="its weights hash to"):
        pull("reviews", "champion", tmp_path / "pulled")
    assert not (tmp_path / "pulled").exists()


def test_pickles_are_refused(registered, tmp_path):
    shutil.copy(weights(tmp_path), weights(tmp_path).with_name("pytorch_model.bin"))
    with pytest.raises(UserError, match="holds pickles"):
        pull("reviews", "champion", tmp_path / "pulled")
