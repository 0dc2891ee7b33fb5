"""The stage `teacher@t`: a grid, of which the best is kept; what is killed is not done again; and bad input."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML
from safetensors.torch import load_file

import pipelines.teacher
from conftest import make_reviews
from pipelines.teacher import teacher
from textbook.assets import fetch
from textbook.errors import UserError
from textbook.models.encoder import load_tokenizer
from textbook.params import Params, PathAsset
from textbook.params_file import load_params
from textbook.processes import count_devices
from textbook.training.log import read_history

ROOT = Path(__file__).parents[2]
MADE = Path("data/models/films/teacher")


@pytest.fixture
def make_params(tiny_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Parameters of a project of its own, with a task and a teacher; `changes` are to `teacher`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    encoder = tmp_path / "encoder"
    shutil.copytree(tiny_teacher, encoder)
    Path("data/tasks/films").mkdir(parents=True)
    for split, count in (("train", 200), ("validation", 60)):
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
    assert [(one["batch"], one["lr"]) for one in result["tried"]] == [(16, 1e-5), (16, 3e-3), (32, 1e-5), (32, 3e-3)]
    best = max(result["tried"], key=lambda one: one["accuracy"])
    assert result["runs"] == [{name: best[name] for name in ("accuracy", "standard_error")}]
    history = read_history(MADE / "history.jsonl")
    assert history[-1]["accuracy"] == best["accuracy"]
    assert len(list(MADE.glob("history-batch-*.jsonl"))) == 4
    assert not list(Path(".cache/teacher").iterdir())


def test_a_kill_between_epochs_loses_only_what_was_begun(make_params: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    params = make_params(lr=[1e-3, 3e-3], epochs=3)
    teacher(params, "films")
    expected = load_file(MADE / "model.safetensors")
    shutil.rmtree(MADE)
    seen = []

    def log_to_file(path: Path) -> Any:
        def log(step: int, _figures: Any) -> None:
            seen.append((path.parent.name, step))
            write(step, _figures)
            if len(seen) == 5:  # in the second epoch of the second combination, before its checkpoint
                raise KeyboardInterrupt

        write = original(path)
        return log

    original = pipelines.teacher.log_to_file
    monkeypatch.setattr(pipelines.teacher, "log_to_file", log_to_file)
    with pytest.raises(KeyboardInterrupt):
        teacher(params, "films")
    teacher(params, "films")
    first, second = "batch-16-lr-0.001", "batch-16-lr-0.003"
    assert seen == [*((first, n) for n in (1, 2, 3)), *((second, n) for n in (1, 2, 2, 3))]
    made = load_file(MADE / "model.safetensors")
    assert all(tensor.equal(expected[name]) for name, tensor in made.items())


def test_a_teacher_without_a_tokenizer_is_refused(make_params: Any, tmp_path: Path) -> None:
    for path in (tmp_path / "encoder").glob("*"):
        if path.name.startswith(("tokenizer", "vocab", "special_tokens")):
            path.unlink()
    with pytest.raises(UserError, match=r"teacher.asset = 'encoder': .*encoder: no tokenizer: none of .*vocab.txt"):
        teacher(make_params(), "films")
    with pytest.raises(UserError, match="no tokenizer"):
        load_tokenizer(tmp_path / "encoder")


def test_more_processes_than_devices_are_refused(make_params: Any) -> None:
    wanted = count_devices()[0] + 1
    with pytest.raises(UserError, match=f"teacher.processes = {wanted}: must be at most {wanted - 1}, for so many"):
        teacher(make_params(processes=wanted), "films")
    assert not MADE.exists()
