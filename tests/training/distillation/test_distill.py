import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from toy_run import logged_values, toy_distillation, toy_student, toy_tokens
from transformers import AutoModel

import textbook.training.engine.checkpoints as checkpoints_module
from textbook.errors import UserError
from textbook.models.encoder import QkvReader, load_config, load_encoder
from textbook.models.student import make_student
from textbook.params import Student
from textbook.training.engine.checkpoints import load_checkpoint
from textbook.training.engine.device import Device
from textbook.training.engine.optimizer import make_optimizer
from textbook.training.engine.replica import Replica
from textbook.training.engine.tokens import collate

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_loss_falls(tiny_teacher):
    history = logged_values(tiny_teacher, steps=150)
    assert history[-1] < 0.7 * history[0]


def test_bf16_follows_fp32(tiny_teacher):
    bf16 = logged_values(tiny_teacher, devices=[Device(torch.device("cpu"), bf16=True)])
    fp32 = logged_values(tiny_teacher)
    assert bf16 == pytest.approx(fp32, rel=0.02)


def test_only_weights_below_the_last_queries_keys_and_values_are_trained(tiny_teacher):
    initial = toy_student(tiny_teacher).state_dict()
    student = toy_distillation(tiny_teacher)
    changed = {name for name, value in student.state_dict().items() if not torch.equal(value, initial[name])}
    weights = {name for name in changed if name.endswith("weight")}
    assert any(name.startswith("encoder.layer.0.output") for name in weights)
    above = ("encoder.layer.1.attention.output", "encoder.layer.1.intermediate", "encoder.layer.1.output", "pooler")
    assert not [name for name in changed if name.startswith(above)]
    assert {f"encoder.layer.1.attention.self.{part}.weight" for part in ("query", "key", "value")} <= weights


@pytest.mark.parametrize("die_at", [10, 20, 30])
def test_a_killed_run_resumes_to_the_same_weights(tiny_teacher, tmp_path, monkeypatch, die_at):
    monkeypatch.setattr(checkpoints_module, "CHECKPOINT_SECONDS", 0)

    class Killed(Exception):
        pass

    def die(step, _figures):
        if step == die_at:
            raise Killed

    uninterrupted = toy_distillation(tiny_teacher)
    with pytest.raises(Killed):
        toy_distillation(tiny_teacher, log=die, checkpoints=tmp_path)
    assert sorted(path.stem for path in tmp_path.glob("*.safetensors")) == [f"{die_at - n:08}" for n in (2, 1)]
    steps = []
    resumed = toy_distillation(tiny_teacher, log=lambda step, _: steps.append(step), checkpoints=tmp_path)
    assert min(steps) == die_at
    for name, value in uninterrupted.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.fixture
def killed(tiny_teacher, tmp_path, monkeypatch):
    """A folder with the checkpoints of steps 18 and 19 of a run of 30."""
    monkeypatch.setattr(checkpoints_module, "CHECKPOINT_SECONDS", 0)

    class Killed(Exception):
        pass

    def die(step, _figures):
        if step == 20:
            raise Killed

    with pytest.raises(Killed):
        toy_distillation(tiny_teacher, steps=30, log=die, checkpoints=tmp_path)
    return tmp_path


def test_a_damaged_checkpoint_is_skipped_with_a_warning(tiny_teacher, killed):
    newest = killed / "00000019.safetensors"
    newest.write_bytes(newest.read_bytes()[:-100])
    logged = []
    with pytest.warns(UserWarning, match=r"00000019.safetensors: is damaged"):
        toy_distillation(tiny_teacher, steps=30, checkpoints=killed, log=lambda step, _: logged.append(step))
    assert logged == [20, 30]  # it resumed from step 18


def test_a_checkpoint_of_another_model_is_refused(tiny_teacher, killed):
    other = make_student(Student(layers=2, hidden=8, heads=2, intermediate=8), load_config(tiny_teacher), seed=0)
    with pytest.raises(UserError, match=r"00000019.safetensors: is a checkpoint of another model"):
        load_checkpoint(killed, other, make_optimizer(other, 0.01), {}, Replica())


@pytest.mark.parametrize(
    ("changes", "message"), [({"lr": 1e-3}, "lr was 0.005 and is 0.001"), ({"seed": 1}, "seed was 0 and is 1")]
)
def test_a_checkpoint_of_another_run_is_refused(tiny_teacher, killed, changes, message):
    with pytest.raises(UserError, match=rf"00000019.safetensors: is a checkpoint of another run \({message}\); remove"):
        toy_distillation(tiny_teacher, steps=30, checkpoints=killed, **changes)


def test_a_checkpoint_of_another_textbook_is_refused(tiny_teacher, killed):
    other = toy_tokens(tiny_teacher, count=100)
    with pytest.raises(UserError, match=r"another run .texts was 200 and is 100"):
        toy_distillation(tiny_teacher, tokens=other, steps=30, checkpoints=killed)


def test_sigterm_writes_a_checkpoint_and_exits(tiny_teacher, tmp_path):
    def terminate(step, _figures):
        if step == 20:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as exit_info:
        toy_distillation(tiny_teacher, log=terminate, checkpoints=tmp_path)
    assert exit_info.value.code == 143
    assert [path.name for path in tmp_path.iterdir()] == ["00000020.safetensors"]
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_loss_that_is_not_finite_stops_the_run_and_saves_the_batch(tiny_teacher, tmp_path):
    teacher = load_encoder(tiny_teacher)
    with torch.no_grad():
        teacher.get_input_embeddings().weight.fill_(torch.nan)
    with pytest.raises(
        UserError,
        match=r"the loss of step 1 is nan; try a smaller distill.lr .*; its batch is in .*batch-1.safetensors",
    ):
        toy_distillation(tiny_teacher, teacher=teacher, checkpoints=tmp_path)
    assert load_file(tmp_path / "batch-1.safetensors")["input_ids"].shape[0] == 16


def test_an_out_of_memory_error_describes_the_batch(tiny_teacher):
    teacher = load_encoder(tiny_teacher)
    # Allocates as much memory as attention over far too many tokens.
    teacher.encoder.layer[0].register_forward_hook(lambda *_: torch.empty(2**50))
    batch = r"on cpu fp32 with a batch of 16 sentences of \d+ tokens"
    with pytest.raises(UserError, match=f"distill: out of memory {batch}; try a smaller distill.batch"):
        toy_distillation(tiny_teacher, teacher=teacher)


def test_snapshots_are_saved_after_the_given_steps(tiny_teacher, tmp_path):
    student = toy_distillation(tiny_teacher, snapshot_folder=tmp_path, steps=20, snapshots=[7, 20])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000007", "00000020"]
    snapshots = [AutoModel.from_pretrained(path).state_dict() for path in sorted(tmp_path.iterdir())]
    assert all(torch.equal(snapshots[1][name], value) for name, value in student.state_dict().items())
    name = "encoder.layer.1.attention.self.query.weight"
    assert not torch.equal(snapshots[0][name], snapshots[1][name])


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_saved_student_computes_the_same_states(tiny_teacher, tmp_path, attention):
    student = toy_distillation(tiny_teacher).eval()
    student.save_pretrained(tmp_path)
    loaded = AutoModel.from_pretrained(tmp_path, attn_implementation=attention)
    batch = collate(toy_tokens(tiny_teacher), np.arange(20), pad_id=0)
    real = batch["attention_mask"] == 1
    with torch.no_grad():
        below = loaded(**batch, output_hidden_states=True).hidden_states[1]
        last = loaded.encoder.layer[1].attention.self
        expected = [part(below) for part in (last.query, last.key, last.value)]
        states = QkvReader(student, 2)(**batch)
        outputs = student(**batch).last_hidden_state, loaded(**batch).last_hidden_state
    for trained, reloaded in [*zip(states, expected, strict=True), outputs]:
        torch.testing.assert_close(trained[real], reloaded[real], rtol=1e-4, atol=1e-4)


def test_every_line_of_the_log_has_all_figures(tiny_teacher):
    lines = []
    toy_distillation(tiny_teacher, steps=20, log=lambda step, figures: lines.append((step, figures)))
    assert [step for step, _ in lines] == [10, 20]
    for _, figures in lines:
        assert set(figures) == {"loss", "lr", "gradient_norm", "tokens_per_second", "share_of_peak", "waiting"}
        assert 0 < figures["share_of_peak"] < 1
        assert 0 <= figures["waiting"] < 1


@pytest.mark.slow
@pytest.mark.parametrize(("students", "kills"), [(1, 20), (3, 50)])
def test_kills_at_random_moments_do_not_change_the_weights(tiny_teacher, tmp_path, students, kills):
    script = Path(__file__).with_name("killed_children.py")
    for count in (0, kills):
        command = [sys.executable, script, tiny_teacher, tmp_path / str(count), str(count), str(students)]
        path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONPATH": path}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / str(kills) / "killed").read_text() == str(kills)
    for student in range(students):
        uninterrupted, resumed = (load_file(tmp_path / str(n) / f"{student}.safetensors") for n in (0, kills))
        assert all(torch.equal(uninterrupted[name], resumed[name]) for name in uninterrupted)
