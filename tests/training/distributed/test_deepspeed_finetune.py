"""DeepSpeed's ZeRO in two processes trains like the plain loop."""

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

import textbook.training.distributed.deepspeed_engine as shards
import textbook.training.distributed.deepspeed_finetune as zero
from conftest import make_reviews
from textbook.errors import UserError
from textbook.models.classifier import load_classifier, read_classifier
from textbook.models.encoder import load_tokenizer
from textbook.params import FineTuning, Teacher
from textbook.training.distributed.ray_workers import Report, run_processes
from textbook.training.engine.device import Device
from textbook.training.engine.log import log_to_file, read_history
from textbook.training.engine.tokens import tokenize
from textbook.training.finetuning.finetune import finetune
from textbook.training.finetuning.labelled import Labelled
from textbook.training.finetuning.predict import predict

pytestmark = pytest.mark.slow

CPU = Device(torch.device("cpu"), bf16=False)
SETTINGS = FineTuning(epochs=2, batch=15, lr=3e-3, warmup=0.06, weight_decay=0.01, max_length=32)
ROWS = 371  # 25 steps per epoch; the last batch has 11 rows


def how(**changes: Any) -> Teacher:
    values = {"stage": 0, "offload": False, "precision": "fp32", "accumulation": 1, "checkpointing": False, **changes}
    return Teacher.model_validate(
        {
            "asset": "teacher",
            **SETTINGS.model_dump(),
            "seed": 0,
            **{name: values[name] for name in ("precision", "accumulation", "checkpointing")},
            "zero": {"stage": values["stage"], "offload": values["offload"]},
            "tasks": {},
            "processes": 2,
        }
    )


@dataclass(frozen=True)
class Data:
    """The teacher and the data of all runs."""

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
RESUMED = {"whole": (1, 1), "resumed": (1, 1), "moved": (3, 0)}  # stages before and after the kill


class Killed(Exception):
    """Simulates the end of a process."""


def train_all(data: Data, folder: Path, report: Report) -> dict[str, zero.Result]:
    """Run in each process: all variants, the runs of `RESUMED` with dropout, and a run with another learning rate."""
    torch.set_num_threads(1)
    shards.PERSISTENT = 0  # otherwise a model this small is not sharded
    results = {}
    for name, variant in VARIANTS.items():
        arguments = (variant, data.accuracy, data.pad_id, folder / name, report)
        results[name] = zero.finetune_with_zero(data.model, data.train, SETTINGS, 0, *arguments)
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
                results[name] = zero.finetune_with_zero(partial(data.model, 0.1), data.train, SETTINGS, 0, *arguments)
            except Killed:
                continue
            break
    other = SETTINGS.model_copy(update={"lr": 1e-3})
    arguments = (how(stage=1), data.accuracy, data.pad_id, folder / "whole", report)
    with pytest.raises(UserError) as refusal:
        zero.finetune_with_zero(data.model, data.train, other, 0, *arguments)
    (folder / f"refusal-{dist.get_rank()}").write_text(str(refusal.value))
    return results


@dataclass(frozen=True)
class Runs:
    """The results of all runs, and the weights and history of the plain loop."""

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
    how_measured = {"measure": data.accuracy, "pad_id": data.pad_id, "device": CPU}
    finetune(model, data.train, SETTINGS, 0, **how_measured, name="plain", section="teacher", log=log)
    return Runs(folder, results, model.state_dict(), read_history(folder / "history.jsonl"))


@pytest.mark.parametrize("name", VARIANTS)
def test_two_processes_learn_what_the_plain_loop_learns(name: str, runs: Runs) -> None:
    history = read_history(runs.folder / name / "history.jsonl")
    assert len(runs.results[0][name].losses) == 50
    for line, plain in zip(history, runs.history, strict=True):
        assert line["loss"] == pytest.approx(plain["loss"], rel=1e-4)
        assert line["accuracy"] == plain["accuracy"]
    for key, weight in runs.weights(name).items():
        assert torch.allclose(weight, runs.plain[key], atol=1e-3), key
    first, second = (result[name] for result in runs.results)
    assert (first.losses, first.metrics) == (second.losses, second.metrics)


def test_a_killed_run_resumes_to_the_same_weights(runs: Runs) -> None:
    assert (runs.folder / "resumed" / "killed").exists()
    assert runs.results[0]["resumed"].losses == runs.results[0]["whole"].losses
    whole = runs.weights("whole")
    assert all(torch.equal(weight, whole[key]) for key, weight in runs.weights("resumed").items())


def test_a_checkpoint_of_another_run_is_refused_in_every_process(runs: Runs) -> None:
    for rank in (0, 1):
        refusal = (runs.folder / f"refusal-{rank}").read_text()
        assert "00000050.safetensors: is a checkpoint of another run (lr was 0.003 and is 0.001); remove" in refusal


def test_a_killed_run_can_resume_at_another_stage(runs: Runs) -> None:
    assert (runs.folder / "moved" / "killed").exists()
    assert runs.results[0]["moved"].losses == pytest.approx(runs.results[0]["whole"].losses, rel=1e-5)
    whole = runs.weights("whole")
    assert all(torch.allclose(weight, whole[key], atol=1e-3) for key, weight in runs.weights("moved").items())


def test_the_saved_weights_are_unsharded_and_in_fp32(runs: Runs) -> None:
    whole = load_file(runs.folder / "zero-3" / "model" / "model.safetensors")
    assert {key: weight.shape for key, weight in whole.items()} == {
        key: weight.shape for key, weight in runs.plain.items()
    }
    assert {weight.dtype for weight in whole.values()} == {torch.float32}
