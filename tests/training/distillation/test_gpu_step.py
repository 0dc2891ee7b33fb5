"""The fast step of a GPU, in Triton's interpreter, trains as a plain loop does."""

import logging
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from test_graphs import Rerun
from toy_models import CONFIGS
from toy_run import CPU, NO_DROPOUT, SHAPE
from transformers import AutoConfig, AutoModel

from textbook.models.encoder import QkvReader
from textbook.models.student import make_student
from textbook.training.distillation.gpu_step import gpu_steps, why_padded
from textbook.training.distillation.graphs import WARM, RecordedSteps
from textbook.training.distillation.pair import DistillationPair
from textbook.training.distillation.readers import PACKABLE
from textbook.training.distillation.relations import relation_loss
from textbook.training.engine.batches import BatchStream
from textbook.training.engine.feed import make_batch
from textbook.training.engine.optimizer import make_optimizer, set_rate, update_weights
from textbook.training.engine.packing import RandomBatches
from textbook.training.engine.tokens import Tokens

BATCH, STEPS = 5, 3


@pytest.fixture(scope="module")
def tokens():
    random = np.random.default_rng(0)
    lengths = random.integers(1, 40, 23)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    types = np.zeros(offsets[-1], np.uint8)
    return Tokens(random.integers(5, 90, offsets[-1]).astype(np.uint16), types, offsets, 90, int(lengths.max()))


def make_teacher(family, **changes):
    torch.manual_seed(0)
    return AutoModel.from_config(AutoConfig.for_model(family, **{**CONFIGS[family], **changes})).eval()


def make_pair(teacher, seed=0, **changes):
    config = make_student(SHAPE, teacher.config, seed=0).config
    config.update({**NO_DROPOUT, **changes})
    torch.manual_seed(seed)
    student = AutoModel.from_config(config).train()
    return DistillationPair(teacher, student, 2, 2, 4, 1)


def make_step(pairs, tokens, **options):
    optimizers = [make_optimizer(pair.student, 0.01, recordable=True) for pair in pairs]
    for optimizer in optimizers:
        set_rate(optimizer, 1e-3)
    options = {"compile_for": "not", **options}
    return gpu_steps(pairs, optimizers, tokens, CPU, batch=BATCH, seed=0, **options)


def losses_of(step, count=STEPS):
    return torch.stack([step.take(step.make(number))[0] for number in range(count)])


def plain_losses(pair, tokens, packed, count=STEPS):
    read_teacher, read_student = QkvReader(pair.teacher, 2), QkvReader(pair.student, 2)
    optimizer = make_optimizer(pair.student, 0.01)
    set_rate(optimizer, 1e-3)
    stream = RandomBatches(len(tokens), BATCH, 0) if packed else BatchStream(tokens.offsets, BATCH, 0)
    losses = []
    for number in range(count):
        batch = make_batch(tokens, stream.rows(number), 1)
        with torch.no_grad():
            target = read_teacher(**batch.inputs)
        states = read_student(**batch.inputs)
        loss = relation_loss(target, states, batch.inputs["attention_mask"], 4, batch.weights)
        update_weights(loss, pair.student, optimizer)
        losses.append(loss.detach())
    return torch.stack(losses)


@pytest.mark.parametrize("family", CONFIGS)
def test_every_family_trains_as_the_plain_loop_does(family, tokens):
    teacher = make_teacher(family)
    fast, plain = make_pair(teacher), make_pair(teacher)
    step = make_step([fast], tokens)
    assert step.packed == (family in PACKABLE)
    losses = losses_of(step)
    torch.testing.assert_close(losses[:, 0], plain_losses(plain, tokens, step.packed), rtol=1e-4, atol=1e-6)
    for (name, weight), expected in zip(fast.student.named_parameters(), plain.student.parameters(), strict=True):
        torch.testing.assert_close(
            weight, expected, rtol=1e-3, atol=2e-5, msg=lambda text, name=name: f"{name}: {text}"
        )
    assert teacher.config._attn_implementation == make_teacher(family).config._attn_implementation


def test_students_of_a_cohort_are_those_made_alone(tokens):
    teacher = make_teacher("bert")
    together = [make_pair(teacher, seed) for seed in range(3)]
    losses = losses_of(make_step(together, tokens), 2)
    for number, pair in enumerate(together):
        alone = make_pair(teacher, number)
        assert torch.equal(losses_of(make_step([alone], tokens), 2)[:, 0], losses[:, number])
        for weight, expected in zip(pair.student.parameters(), alone.student.parameters(), strict=True):
            assert torch.equal(weight, expected)


def test_attention_dropout_is_that_of_the_configuration_and_follows_the_seed(tokens):
    teacher = make_teacher("bert")
    runs = []
    for seed, drop in ((0, 0.0), (0, 0.5), (0, 0.5), (1, 0.5)):
        step = make_step([make_pair(teacher, attention_probs_dropout_prob=drop)], tokens)
        torch.manual_seed(seed)
        runs.append(losses_of(step, 2))
    assert torch.equal(runs[1], runs[2])
    assert not torch.isclose(runs[0], runs[1], rtol=1e-4).any()
    assert not torch.isclose(runs[1][:, 0], runs[3][:, 0], rtol=1e-4).any()


@pytest.mark.parametrize("family", PACKABLE)
def test_layers_compile_whole_and_once_for_all_numbers_of_tokens(family, tokens, monkeypatch):
    """With the whole compiler except the generation of kernels. A graph break would be an error."""
    torch._dynamo.reset()
    whole = partial(torch.compile, backend="aot_eager_decomp_partition", fullgraph=True)
    teacher = make_teacher(family)
    plain = losses_of(make_step([make_pair(teacher)], tokens), 4)
    monkeypatch.setattr(torch, "compile", whole)
    step = make_step([make_pair(teacher)], tokens, compile_for="once")
    with torch._dynamo.config.patch(error_on_recompile=False):
        losses = losses_of(step, 4)
    assert len({step.make(number).inputs["input_ids"].shape for number in range(4)}) == 1
    torch.testing.assert_close(losses, plain, rtol=1e-5, atol=1e-6)


def test_recorded_steps_train_like_others(tokens):
    teacher, recorder = make_teacher("bert"), Rerun()
    plain = losses_of(make_step([make_pair(teacher)], tokens), 5)
    step = make_step([make_pair(teacher)], tokens)
    recorded = losses_of(replace(step, take=RecordedSteps(step.take, recorder)), 5)
    assert (recorder.recorded, recorder.replayed) == (1, 5 - WARM)
    assert torch.equal(recorded, plain)


def test_the_padded_path_says_why(tokens, caplog):
    with caplog.at_level(logging.WARNING):
        assert not make_step([make_pair(make_teacher("mpnet"))], tokens).packed
    assert "runs padded, not packed: the teacher is mpnet, whose attention cannot be replaced" in caplog.text


def test_what_cannot_run_packed():
    pair = make_pair(make_teacher("bert"))
    assert why_padded(pair, 512) is None
    assert why_padded(pair, 513) == "a text has 513 tokens (packed are at most 512)"
    wide = make_pair(make_teacher("bert", hidden_size=600))
    assert "the teacher's attention heads have 150 numbers (packed are at most 128)" in str(why_padded(wide, 9))
    few = DistillationPair(make_teacher("bert", hidden_size=160, num_attention_heads=4), pair.student, 2, 2, 1, 1)
    assert "the teacher's relation heads have more than 128 numbers" in str(why_padded(few, 9))


def test_pairs_of_different_teachers_are_refused(tokens):
    with pytest.raises(ValueError, match="same teacher"):
        make_step([make_pair(make_teacher("bert")), make_pair(make_teacher("bert"))], tokens)
