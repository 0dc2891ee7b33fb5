import copy
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import textbook.training.distill as module
from conftest import DISTILL, make_sentences
from textbook.errors import UserError
from textbook.models.encoder import load_config, load_encoder, load_tokenizer
from textbook.models.student import make_student
from textbook.params import Distill, Student
from textbook.training.checkpoints import load_checkpoint
from textbook.training.device import Device
from textbook.training.distill import distill
from textbook.training.log import silent
from textbook.training.optimizer import make_optimizer
from textbook.training.tokens import tokenize

CPU = Device(torch.device("cpu"), bf16=False)
SETTINGS = {
    **DISTILL,
    "relation_heads": 4,
    "teacher_layer": "auto",
    "steps": 40,
    "batch": 16,
    "lr": 5e-3,
    "warmup": 0.1,
    "weight_decay": 0.01,
    "max_length": 32,
    "seed": 0,
}


@pytest.fixture
def run(tiny_teacher):
    """A distillation of a fresh student; gives the student."""
    tokenizer = load_tokenizer(tiny_teacher)
    tokens = tokenize(tokenizer, make_sentences(200, seed=0), None, 32)

    def start(teacher=None, log=silent, checkpoints=None, device=CPU, **changes):
        student = make_student(
            Student(layers=2, hidden=16, heads=4, intermediate=32), load_config(tiny_teacher), seed=0
        )
        initial = copy.deepcopy(student.state_dict())
        distill(
            teacher or load_encoder(tiny_teacher),
            student,
            tokens,
            Distill(**{**SETTINGS, **changes}),
            teacher_layer=2,
            student_layer=2,
            pad_id=tokenizer.pad_token_id,
            device=device,
            log=log,
            checkpoints=checkpoints,
        )
        return student, initial

    return start


def losses_of(run, **changes):
    history = []
    run(log=lambda _, figures: history.append(figures["loss"]), **changes)
    return history


def test_the_loss_falls(run):
    history = losses_of(run, steps=150)
    assert history[-1] < 0.7 * history[0]


def test_bf16_follows_fp32(run):
    fp32, bf16 = losses_of(run), losses_of(run, device=Device(torch.device("cpu"), bf16=True))
    assert bf16 == pytest.approx(fp32, rel=0.02)


def test_only_what_feeds_the_last_queries_keys_and_values_learns(run):
    student, initial = run()
    changed = {name for name, value in student.state_dict().items() if not torch.equal(value, initial[name])}
    weights = {name for name in changed if name.endswith("weight")}
    assert any(name.startswith("encoder.layer.0.output") for name in weights)
    above = ("encoder.layer.1.attention.output", "encoder.layer.1.intermediate", "encoder.layer.1.output", "pooler")
    assert not [name for name in changed if name.startswith(above)]
    assert {f"encoder.layer.1.attention.self.{part}.weight" for part in ("query", "key", "value")} <= weights


@pytest.mark.parametrize("die_at", [10, 20, 30])
def test_a_killed_run_goes_on_to_the_same_weights(run, tmp_path, monkeypatch, die_at):
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0)

    class Killed(Exception):
        pass

    def die(step, _figures):
        if step == die_at:
            raise Killed

    whole, _ = run()
    with pytest.raises(Killed):
        run(log=die, checkpoints=tmp_path)
    assert sorted(path.stem for path in tmp_path.glob("*.safetensors")) == [f"{die_at - n:08}" for n in (2, 1)]
    steps = []
    resumed, _ = run(log=lambda step, _: steps.append(step), checkpoints=tmp_path)
    assert min(steps) == die_at
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.fixture
def killed(run, tmp_path, monkeypatch):
    """The folder with the checkpoints of steps 9 and 10 of a run."""
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0)
    run(steps=10, checkpoints=tmp_path)
    return tmp_path


def test_a_damaged_checkpoint_is_passed_over_with_a_warning(run, killed):
    newest = killed / "00000010.safetensors"
    newest.write_bytes(newest.read_bytes()[:-100])
    seen = []
    with pytest.warns(UserWarning, match=r"00000010.safetensors: damaged"):
        run(steps=20, checkpoints=killed, log=lambda step, _: seen.append(step))
    assert seen == [10, 20]


def test_a_checkpoint_of_another_model_is_refused(tiny_teacher, killed):
    other = make_student(Student(layers=2, hidden=8, heads=2, intermediate=8), load_config(tiny_teacher), seed=0)
    with pytest.raises(UserError, match=r"00000010.safetensors: is a checkpoint of another model"):
        load_checkpoint(killed, other, make_optimizer(other, 0.01))


def test_sigterm_writes_a_checkpoint_and_leaves(run, tmp_path):
    def terminate(step, _figures):
        if step == 20:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as left:
        run(log=terminate, checkpoints=tmp_path)
    assert left.value.code == 143
    assert [path.name for path in tmp_path.iterdir()] == ["00000020.safetensors"]
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_loss_that_is_not_finite_stops_the_run_and_saves_the_batch(run, tiny_teacher, tmp_path):
    teacher = load_encoder(tiny_teacher)
    with torch.no_grad():
        teacher.get_input_embeddings().weight.fill_(torch.nan)
    with pytest.raises(UserError, match=r"the loss of step 1 is nan; .*; its batch is in .*batch-1.safetensors"):
        run(teacher=teacher, checkpoints=tmp_path)
    assert load_file(tmp_path / "batch-1.safetensors")["input_ids"].shape[0] == 16


def test_killed_at_twenty_random_moments_the_weights_are_the_same(tiny_teacher, tmp_path):
    script = Path(__file__).with_name("killed_children.py")
    for kills in (0, 20):
        command = [sys.executable, script, tiny_teacher, tmp_path / str(kills), str(kills)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "20" / "killed").read_text() == "20"
    whole, resumed = (load_file(tmp_path / kills / "student.safetensors") for kills in ("0", "20"))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
