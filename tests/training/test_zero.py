"""DeepSpeed's ZeRO against the plain loop, on two processes that Ray starts."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch import nn

import textbook.training.shards as shards
import textbook.training.zero as zero
from conftest import make_reviews
from textbook.models.classifier import load_classifier, read_classifier
from textbook.models.encoder import load_tokenizer
from textbook.params import Teacher
from textbook.processes import Report, run_processes
from textbook.training.device import Device
from textbook.training.finetune import Labelled, Settings, finetune, predict
from textbook.training.log import log_to_file, read_history
from textbook.training.tokens import tokenize

CPU = Device(torch.device("cpu"), bf16=False)
SETTINGS = Settings(epochs=2, batch=15, lr=3e-3, warmup=0.06, weight_decay=0.01, seed=0)
ROWS = 371  # 25 steps an epoch, the last of which has a batch of 11


def how(**changes: Any) -> Teacher:
    values = {"stage": 0, "offload": False, "precision": "fp32", "accumulation": 1, "checkpointing": False, **changes}
    return Teacher.model_validate(
        {
            "asset": "teacher",
            **{name: getattr(SETTINGS, name) for name in ("epochs", "batch", "lr", "warmup", "weight_decay", "seed")},
            **{name: values[name] for name in ("precision", "accumulation", "checkpointing")},
            "zero": {"stage": values["stage"], "offload": values["offload"]},
            "max_length": 32,
            "tasks": {},
            "processes": 2,
        }
    )


@dataclass(frozen=True)
class Data:
    """What all runs learn from."""

    teacher: Path
    train: Labelled
    validation: Labelled
    pad_id: int

    def model(self, dropout: float = 0.0) -> Any:
        model = load_classifier(self.teacher, ["bad", "good"], seed=0)
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = dropout
        return model

    def accuracy(self, model: nn.Module) -> dict[str, float]:
        logits = predict(model, self.validation.tokens, pad_id=self.pad_id, device=CPU)
        return {"accuracy": float((logits.argmax(1) == self.validation.labels).mean())}


@pytest.fixture(scope="module")
def data(tiny_teacher: Path) -> Data:
    tokenizer = load_tokenizer(tiny_teacher)
    parts = []
    for count, seed in ((ROWS, 0), (100, 1)):
        texts, labels = zip(*make_reviews(count, seed), strict=True)
        parts.append(Labelled(tokenize(tokenizer, texts, None, 32), np.array(labels)))
    return Data(tiny_teacher, *parts, tokenizer.pad_token_id)


VARIANTS = {
    "zero-0": how(stage=0),
    "zero-1": how(stage=1, checkpointing=True),
    "zero-2": how(stage=2, accumulation=2),
    "zero-3": how(stage=3),
}
RESUMED = {"whole": (1, 1), "resumed": (1, 1), "moved": (3, 0)}  # stages before and after it is killed


class Killed(Exception):
    """Stands for the end of a process."""


def train_all(data: Data, folder: Path, report: Report) -> dict[str, zero.Result]:
    """In each process: all variants, and with dropout what is killed on the way and taken up again."""
    torch.set_num_threads(1)
    shards.PERSISTENT = 0  # so small a model would not be sharded at all
    results = {}
    for name, variant in VARIANTS.items():
        arguments = (variant, data.accuracy, data.pad_id, folder / name, report)
        results[name] = zero.finetune_with_zero(data.model, data.train, SETTINGS, *arguments)
    zero.CHECKPOINT_SECONDS = 0
    for name, stages in RESUMED.items():
        for stage in stages:

            def stop(step: int, _text: str, folder: Path = folder / name) -> None:
                if step == 37 and folder.name != "whole" and not (folder / "killed").exists():
                    dist.barrier()
                    (folder / "killed").touch()
                    raise Killed

            arguments = (how(stage=stage), data.accuracy, data.pad_id, folder / name, stop)
            try:
                results[name] = zero.finetune_with_zero(partial(data.model, 0.1), data.train, SETTINGS, *arguments)
            except Killed:
                continue
            break
    return results


@dataclass(frozen=True)
class Runs:
    """What came of them all, and of the plain loop."""

    folder: Path
    results: list[dict[str, zero.Result]]
    plain: dict[str, torch.Tensor]
    history: list[dict[str, float]]

    def weights(self, name: str) -> dict[str, torch.Tensor]:
        return read_classifier(self.folder / name / "model").state_dict()


@pytest.fixture(scope="module")
def runs(local_ray: None, data: Data, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("zero")
    results = run_processes(partial(train_all, data, folder), 2, "test", 50)
    model = data.model()
    log = log_to_file(folder / "history.jsonl")
    finetune(model, data.train, SETTINGS, measure=data.accuracy, pad_id=data.pad_id, device=CPU, name="plain", log=log)
    return Runs(folder, results, model.state_dict(), read_history(folder / "history.jsonl"))


@pytest.mark.parametrize("name", VARIANTS)
def test_two_processes_learn_what_the_plain_loop_learns(name: str, runs: Runs) -> None:
    history = read_history(runs.folder / name / "history.jsonl")
    assert len(runs.results[0][name].losses) == 50
    for ours, plain in zip(history, runs.history, strict=True):
        assert ours["loss"] == pytest.approx(plain["loss"], rel=1e-4)
        assert ours["accuracy"] == plain["accuracy"]
    for key, weight in runs.weights(name).items():
        assert torch.allclose(weight, runs.plain[key], atol=1e-3), key
    one, other = (result[name] for result in runs.results)
    assert (one.losses, one.figures) == (other.losses, other.figures)


def test_what_is_killed_goes_on_from_its_checkpoint_to_the_same_weights(runs: Runs) -> None:
    assert (runs.folder / "resumed" / "killed").exists()
    assert runs.results[0]["resumed"].losses == runs.results[0]["whole"].losses
    whole = runs.weights("whole")
    assert all(torch.equal(weight, whole[key]) for key, weight in runs.weights("resumed").items())


def test_it_can_go_on_at_another_stage(runs: Runs) -> None:
    assert (runs.folder / "moved" / "killed").exists()
    assert runs.results[0]["moved"].losses == pytest.approx(runs.results[0]["whole"].losses, rel=1e-5)
    whole = runs.weights("whole")
    assert all(torch.allclose(weight, whole[key], atol=1e-3) for key, weight in runs.weights("moved").items())


def test_the_trained_weights_are_whole_and_in_fp32(runs: Runs) -> None:
    whole = load_file(runs.folder / "zero-3" / "model" / "model.safetensors")
    assert {key: weight.shape for key, weight in whole.items()} == {
        key: weight.shape for key, weight in runs.plain.items()
    }
    assert {weight.dtype for weight in whole.values()} == {torch.float32}
