"""Two processes that share each batch are one process."""

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
from textbook.training.batches import BatchStream
from textbook.training.checkpoints import load_checkpoint
from textbook.training.feed import make_batch
from textbook.training.optimizer import make_optimizer
from textbook.training.relations import relation_loss
from textbook.training.replicas import Replica, replicas

INPUTS = ("input_ids", "attention_mask")
BATCH = 17  # is shared unevenly, and the last batch of an epoch, of 200 texts, has 13


def history_of(teacher_folder, devices, checkpoints=None, die_at=None, **more):
    """The student and what was logged; SIGTERM comes at a step."""
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
        with pytest.raises(SystemExit) as left:
            toy_distillation(teacher_folder, student=student, **settings)
        assert left.value.code == 143
    return student, history


def test_two_processes_even_terminated_and_resumed_are_one(tiny_teacher, tmp_path):
    one, alone = history_of(tiny_teacher, [CPU])
    _, before = history_of(tiny_teacher, [CPU, CPU], tmp_path, die_at=20)
    assert [path.name for path in tmp_path.iterdir()] == ["00000020.safetensors"]
    states = load_file(tmp_path / "00000020.safetensors")
    two, after = history_of(tiny_teacher, [CPU, CPU], tmp_path)
    assert len(before) == len(after) == 2
    for name in ("loss", "lr", "gradient_norm"):
        found = [line[name] for line in before + after]
        assert found == pytest.approx([line[name] for line in alone], rel=1e-6), name
    for name, value in one.state_dict().items():
        torch.testing.assert_close(two.state_dict()[name], value, rtol=1e-4, atol=1e-5)
    # Each draws its own dropout, and a resumed process goes on from where it was.
    optimizer = make_optimizer(one, 0.0)
    newest = load_file(tmp_path / "00000040.safetensors")
    assert not torch.equal(states["random.0.cpu"], states["random.1.cpu"])
    run = json.loads(safe_open(tmp_path / "00000040.safetensors", "pt").metadata()["run"])
    for rank in (0, 1):
        assert load_checkpoint(tmp_path, one, optimizer, run, Replica(rank, 2)) == 40
        assert torch.equal(torch.get_rng_state(), newest[f"random.{rank}.cpu"])


def test_a_teacher_spread_over_two_processes_teaches_the_same(tiny_teacher):
    _, alone = history_of(tiny_teacher, [CPU])
    _, spread = history_of(tiny_teacher, [CPU, CPU], shard_teacher=True)
    for name in ("loss", "gradient_norm"):
        assert [line[name] for line in spread] == pytest.approx([line[name] for line in alone], rel=1e-6), name


def read_in_parts(replica, device, folder):
    """Read a layer of a teacher that is spread: it is the same; gives the share of the weights that is here."""
    teacher, inputs = load_encoder(folder), {name: torch.ones(2, 5, dtype=torch.int64) for name in INPUTS}
    whole = QkvReader(teacher, 2)(**inputs)
    parts = parts_of(teacher)
    replica.shard(teacher, parts, device)
    with torch.no_grad():
        spread = QkvReader(teacher, 2)(**inputs)
    for one, other in zip(whole, spread, strict=True):
        torch.testing.assert_close(one, other)
    here = [part.to_local() if isinstance(part, DTensor) else part for part in teacher.parameters()]
    return sum(part.numel() for part in here) / sum(part.numel() for part in teacher.parameters())


def test_of_a_spread_teacher_each_process_keeps_its_share(tiny_teacher):
    with replicas([CPU, CPU], read_in_parts, tiny_teacher) as replica:
        share = read_in_parts(replica, CPU, tiny_teacher)
    layers = load_encoder(tiny_teacher).config.num_hidden_layers
    assert share < 0.5 + 1 / layers  # the layer that was read last is whole


def make_a_mistake(_replica, _device, text):
    raise UserError(text)


def test_what_another_process_died_of_is_told():
    with (
        pytest.raises(UserError, match=r"^out of memory on the second device$"),
        replicas([CPU, CPU], make_a_mistake, "out of memory on the second device") as replica,
    ):
        replica.add_up([torch.ones(3)])  # waits for the other


@pytest.mark.parametrize("count", [1, 2, 3, 20])
def test_the_shares_of_a_batch_add_up_to_it(tiny_teacher, count):
    tokens = toy_tokens(tiny_teacher)
    rows = BatchStream(tokens.offsets, BATCH, 0).rows(3)
    torch.manual_seed(0)
    states = torch.nn.Embedding(100, 16)
    other = torch.nn.Embedding(100, 8)

    def loss_of(batch):
        ours, theirs = (embedding(batch.inputs["input_ids"]) for embedding in (states, other))
        return relation_loss((ours,) * 3, (theirs,) * 3, batch.inputs["attention_mask"], 4, batch.weights)

    whole = loss_of(make_batch(tokens, rows, 0))
    shares = [make_batch(tokens, rows, 0, rank=rank, count=count) for rank in range(count)]
    torch.testing.assert_close(sum(loss_of(share) for share in shares), whole)
    assert sum(float(share.weights.sum()) for share in shares) == pytest.approx(1)
    expected = [
        torch.autograd.grad(whole, other.weight)[0],
        torch.autograd.grad(sum(map(loss_of, shares)), other.weight)[0],
    ]
    torch.testing.assert_close(*expected)


def test_what_fills_a_batch_up_counts_nothing(tiny_teacher):
    tokens = toy_tokens(tiny_teacher)
    rows = np.array([5, 6, 7])
    filled = make_batch(tokens, rows, 0, size=8, multiple=16)
    longest = tokens.lengths()[rows].max()
    assert filled.inputs["input_ids"].shape == (8, -(-longest // 16) * 16)
    assert filled.weights.tolist() == pytest.approx([1 / 3] * 3 + [0] * 5)
    assert filled.lengths.tolist() == tokens.lengths()[rows].tolist()
    assert filled.inputs["input_ids"][:3, :longest].equal(make_batch(tokens, rows, 0).inputs["input_ids"])
