"""The stage `teacher`: the best of several trials is kept, a killed training resumes, and bad inputs are refused."""

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML
from safetensors.torch import load_file
from transformers import GPT2Config, GPT2Model

import pipelines.stages.teacher
from conftest import make_reviews
from pipelines.stages.teacher import main as teacher
from textbook.assets.fetch import fetch
from textbook.errors import UserError
from textbook.evaluation.predictions import read_predictions
from textbook.models.encoder import load_tokenizer
from textbook.params import Params, PathAsset
from textbook.params_file import load_params
from textbook.tasks.splits import TEST
from textbook.training.distributed.ray_workers import count_devices
from textbook.training.engine.log import read_history

ROOT = Path(__file__).parents[3]
MADE = Path("data/models/films/teacher")
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def make_params(tiny_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that gives the parameters of a new project with a task and a teacher, with changes to `teacher`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    encoder = tmp_path / "encoder"
    shutil.copytree(tiny_teacher, encoder)
    Path("data/tasks/films").mkdir(parents=True)
    for split, count in (("train", 200), ("validation", 60), (TEST, 30)):
        texts, labels = zip(*make_reviews(count, seed=count), strict=True)
        pq.write_table(pa.table({"sentence": texts, "label": labels}), f"data/tasks/films/{split}.parquet")

    def make(**changes: Any) -> Params:
        fetch(PathAsset(path=str(encoder)), Path("data/assets/encoder"))
        raw = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
        raw["tasks"] = {"films": raw["tasks"]["rotten_tomatoes"]}
        raw["assets"]["path"] = {"encoder": {"path": str(encoder)}}
        raw["teacher"] |= {"asset": "encoder", "precision": "fp32", "batch": 16, "lr": 1e-3, **changes}
        raw["student"] |= {"hidden": 16, "heads": 4}
        raw["textbooks"]["augmented"] = {}
        raw["distill"]["relation_heads"] = 4
        YAML(typ="safe", pure=True).dump(raw, Path("params.yaml"))
        return load_params()

    return make


def test_all_combinations_are_trained_and_the_best_is_kept(make_params: Any) -> None:
    teacher(make_params(batch=[16, 32], lr=[1e-5, 3e-3]), "films")
    result = json.loads((MADE / "result.json").read_text())
    tried = [(trial["batch"], trial["lr"]) for trial in result["tried"]]
    assert tried == [(16, 1e-5), (16, 3e-3), (32, 1e-5), (32, 3e-3)]
    best = max(result["tried"], key=lambda trial: trial["accuracy"])
    assert result["runs"] == [{name: best[name] for name in ("accuracy", "standard_error")}]
    for name, rows in (("predictions.parquet", 60), ("test-predictions.parquet", 30)):
        labels, outputs = read_predictions(MADE / name)
        assert (len(labels), list(outputs)) == (rows, [0])
    history = read_history(MADE / "history.jsonl")
    assert history[-1]["accuracy"] == best["accuracy"]
    assert len(list(MADE.glob("history-epochs-*-batch-*.jsonl"))) == 4
    assert not list(Path(".cache/work/teacher@films").iterdir())


def test_a_kill_between_epochs_loses_only_the_current_epoch(make_params: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    params = make_params(lr=[1e-3, 3e-3], epochs=3)
    teacher(params, "films")
    expected = load_file(MADE / "model.safetensors")
    shutil.rmtree(MADE)
    epochs = []

    def log_to_file(path: Path) -> Any:
        def log(step: int, figures: Any) -> None:
            epochs.append((path.parent.name, step))
            write(step, figures)
            if len(epochs) == 5:  # in the second epoch of the second trial, before its checkpoint
                raise KeyboardInterrupt

        write = original(path)
        return log

    original = pipelines.stages.teacher.log_to_file
    monkeypatch.setattr(pipelines.stages.teacher, "log_to_file", log_to_file)
    with pytest.raises(KeyboardInterrupt):
        teacher(params, "films")
    teacher(params, "films")
    first, second = "epochs-3-batch-16-lr-0.001", "epochs-3-batch-16-lr-0.003"
    assert epochs == [*((first, n) for n in (1, 2, 3)), *((second, n) for n in (1, 2, 2, 3))]
    made = load_file(MADE / "model.safetensors")
    assert all(tensor.equal(expected[name]) for name, tensor in made.items())


def test_a_teacher_without_a_tokenizer_is_refused(make_params: Any, tmp_path: Path) -> None:
    for path in (tmp_path / "encoder").glob("*"):
        if path.name.startswith(("tokenizer", "vocab", "special_tokens")):
            path.unlink()
    with pytest.raises(
        UserError, match=r"teacher.asset = 'encoder': .*encoder: has no tokenizer: must contain one of .*vocab.txt"
    ):
        teacher(make_params(), "films")
    with pytest.raises(UserError, match="no tokenizer"):
        load_tokenizer(tmp_path / "encoder")


def test_more_processes_than_devices_are_refused(make_params: Any) -> None:
    wanted = count_devices()[0] + 1
    with pytest.raises(UserError, match=f"teacher.processes = {wanted}: must be at most {wanted - 1}, the number of"):
        teacher(make_params(processes=wanted), "films")
    assert not MADE.exists()


def add_rows(split: str, texts: list[str]) -> None:
    path = f"data/tasks/films/{split}.parquet"
    more = pa.table({"sentence": texts, "label": [0] * len(texts)})
    pq.write_table(pa.concat_tables([pq.read_table(path), more]), path)


@pytest.mark.parametrize("split", ["train", "validation", TEST])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("film " * 80, r"has a text of 82 tokens, but the teacher reads at most 64: teacher\.max_length must"),
        ("a film of gamma", r"has the token id 48, but the teacher's vocabulary ends at 46: .*tokens were added to it"),
    ],
)
def test_texts_that_the_teacher_cannot_read_are_refused_before_it_is_loaded(
    make_params: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: str, text: str, message: str
) -> None:
    tokenizer = load_tokenizer(tmp_path / "encoder")
    tokenizer.add_tokens(["delta", "gamma"])
    tokenizer.save_pretrained(tmp_path / "encoder")
    add_rows(split, [text])
    monkeypatch.setattr(pipelines.stages.teacher, "load_classifier", pytest.fail)
    with pytest.raises(UserError, match=message):
        teacher(make_params(max_length=128), "films")


@pytest.mark.parametrize("lr", [1e30, [1e-3, 1e30]])
def test_a_teacher_that_is_not_finite_is_no_result(make_params: Any, lr: Any) -> None:
    with pytest.raises(
        UserError, match=r"^teacher, batch 16, lr 1e\+30: the loss .*; try a smaller teacher.lr than 1e\+30$"
    ):
        teacher(make_params(lr=lr, epochs=1), "films")
    assert not MADE.exists()


def test_an_architecture_that_cannot_be_distilled_is_refused(make_params: Any, tmp_path: Path) -> None:
    GPT2Model(GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=50)).save_pretrained(tmp_path / "encoder")
    with pytest.raises(
        UserError, match=r"teacher.asset = 'encoder': GPT2Model: unsupported encoder; supported are BERT"
    ):
        teacher(make_params(), "films")


def test_a_full_disk_is_an_error_of_the_system(make_params: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`shutil.copytree` would raise a list of errors without a number."""

    def copy(source: Path, target: Path) -> None:
        if source.name == "model.safetensors":
            raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr(shutil, "copy2", copy)
    with pytest.raises(OSError, match="No space left on device") as error:
        teacher(make_params(epochs=1), "films")
    assert error.value.errno == errno.ENOSPC
    assert not MADE.exists()
