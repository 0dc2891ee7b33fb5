"""Two processes that share each batch train like one process."""

import json
import os
import signal

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch.distributed.tensor import DTensor
from toy_run import CPU, NO_DROPOUT, toy_distillation, toy_student, toy_tokens

from textbook.errors import UserError
from textbook.models.encoder import QkvReader, load_encoder, parts_of
from textbook.training.distillation.relations import relation_loss
from textbook.training.distributed.data_parallel import data_parallel
from textbook.training.engine.batches import BatchStream
from textbook.training.engine.checkpoints import load_checkpoint
from textbook.training.engine.feed import make_batch
from textbook.training.engine.optimizer import make_optimizer
from textbook.training.engine.replica import Replica

pytestmark = pytest.mark.slow

INPUTS = ("input_ids", "attention_mask")
BATCH = 17  # odd, so that shares differ in size; the last batch of an epoch of 200 texts has 13


def history_of(teacher_folder, devices, checkpoints=None, die_at=None, **more):
    """Distil and return the student and the logged figures. If `die_at` is given, SIGTERM is sent at this step."""
    history = []

    def log(step, figures):
        history.append(figures)
        if step == die_at:
            os.kill(os.getpid(), signal.SIGTERM)

    student = toy_student(teacher_folder, **NO_DROPOUT)
    settings = {"devices": devices, "batch": BATCH, "log": log, "checkpoints": checkpoints, **more}
    if die_at is None:
        toy_distillation(teacher_folder, student=student, **settings)
    else:
        with pytest.raises(SystemExit) as exit_info:
            toy_distillation(teacher_folder, student=student, **settings)
        assert exit_info.value.code == 143
    return student, history


def test_two_processes_train_like_one_even_if_terminated_and_resumed(tiny_teacher, tmp_path):
    student, alone = history_of(tiny_teacher, [CPU])
    _, before = history_of(tiny_teacher, [CPU, CPU], tmp_path, die_at=20)
    assert [path.name for path in tmp_path.iterdir()] == ["00000020.safetensors"]
    states = load_file(tmp_path / "00000020.safetensors")
    shared_student, after = history_of(tiny_teacher, [CPU, CPU], tmp_path)
    assert len(before) == len(after) == 2
    for name in ("loss", "lr", "gradient_norm"):
        values = [line[name] for line in before + after]
        assert values == pytest.approx([line[name] for line in alone], rel=1e-6), name
    for name, value in student.state_dict().items():
        torch.testing.assert_close(shared_student.state_dict()[name], value, rtol=1e-4, atol=1e-5)
    # Each process draws its own dropout, and a resumed process continues from its saved random state.
    optimizer = make_optimizer(student, 0.0)
    newest = load_file(tmp_path / "00000040.safetensors")
    assert not torch.equal(states["random.0.cpu"], states["random.1.cpu"])
    run = json.loads(safe_open(tmp_path / "00000040.safetensors", "pt").metadata()["run"])
    for rank in (0, 1):
        assert load_checkpoint(tmp_path, student, optimizer, run, Replica(rank, 2)) == (40, {})
        assert torch.equal(torch.get_rng_state(), newest[f"random.{rank}.cpu"])


def test_a_sharded_teacher_gives_the_same_losses(tiny_teacher):
    _, alone = history_of(tiny_teacher, [CPU])
    _, sharded = history_of(tiny_teacher, [CPU, CPU], shard_teacher=True)
    for name in ("loss", "gradient_norm"):
        assert [line[name] for line in sharded] == pytest.approx([line[name] for line in alone], rel=1e-6), name


def share_of_sharded_weights(replica, device, folder):
    """Check that a sharded teacher has the same states, and return the share of its weights in this process."""
    teacher, inputs = load_encoder(folder), {name: torch.ones(2, 5, dtype=torch.int64) for name in INPUTS}
    whole = QkvReader(teacher, 2)(**inputs)
    parts = parts_of(teacher)
    replica.shard(teacher, parts, device)
    with torch.no_grad():
        sharded = QkvReader(teacher, 2)(**inputs)
    for expected, actual in zip(whole, sharded, strict=True):
        torch.testing.assert_close(expected, actual)
    local = [part.to_local() if isinstance(part, DTensor) else part for part in teacher.parameters()]
    return sum(part.numel() for part in local) / sum(part.numel() for part in teacher.parameters())


def test_each_process_keeps_its_share_of_a_sharded_teacher(tiny_teacher):
    with data_parallel([CPU, CPU], share_of_sharded_weights, tiny_teacher) as replica:
        share = share_of_sharded_weights(replica, CPU, tiny_teacher)
    layers = load_encoder(tiny_teacher).config.num_hidden_layers
    assert share < 0.5 + 1 / layers  # the last layer that was read is still gathered


def fail(_replica, _device, text):
    raise UserError(text)


def test_the_error_of_another_process_is_raised():
    with (
        pytest.raises(UserError, match=r"^out of memory on the second device$"),
        data_parallel([CPU, CPU], fail, "out of memory on the second device") as replica,
    ):
        replica.all_reduce([torch.ones(3)])  # waits for the other process


@pytest.mark.parametrize("count", [1, 2, 3, 20])
def test_the_shares_of_a_batch_add_up_to_it(tiny_teacher, count):
    tokens = toy_tokens(tiny_teacher)
    rows = BatchStream(tokens.offsets, BATCH, 0).rows(3)
    torch.manual_seed(0)
    teacher = torch.nn.Embedding(100, 16)
    student = torch.nn.Embedding(100, 8)

    def loss_of(batch):
        target, states = (embedding(batch.inputs["input_ids"]) for embedding in (teacher, student))
        return relation_loss((target,) * 3, (states,) * 3, batch.inputs["attention_mask"], 4, batch.weights)

    whole = loss_of(make_batch(tokens, rows, 0))
    shares = [make_batch(tokens, rows, 0, rank=rank, count=count) for rank in range(count)]
    torch.testing.assert_close(sum(loss_of(share) for share in shares), whole)
    assert sum(float(share.weights.sum()) for share in shares) == pytest.approx(1)
    expected = [
        torch.autograd.grad(whole, student.weight)[0],
        torch.autograd.grad(sum(map(loss_of, shares)), student.weight)[0],
    ]
    torch.testing.assert_close(*expected)


def test_sentences_that_fill_up_a_batch_have_no_weight(tiny_teacher):
    tokens = toy_tokens(tiny_teacher)
    rows = np.array([5, 6, 7])
    filled = make_batch(tokens, rows, 0, size=8, multiple=16)
    longest = tokens.lengths()[rows].max()
    assert filled.inputs["input_ids"].shape == (8, -(-longest // 16) * 16)
    assert filled.weights.tolist() == pytest.approx([1 / 3] * 3 + [0] * 5)
    assert filled.lengths.tolist() == tokens.lengths()[rows].tolist()
    assert filled.inputs["input_ids"][:3, :longest].equal(make_batch(tokens, rows, 0).inputs["input_ids"])
