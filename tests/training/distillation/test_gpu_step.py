"""The fast step of a GPU, in Triton's interpreter, trains as a plain loop does."""

import logging
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from test_graphs import Rerun
from torch._dynamo.utils import counters
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

WIDE = 0.3  # range of the initial weights; with BERT's 0.02 all relations are equal
BATCH, STEPS = 2, 2


@pytest.fixture(scope="module")
def tokens():
    random = np.random.default_rng(0)
    lengths = random.integers(1, 17, 23)  # one tile: the interpreter is slow
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    types = np.zeros(offsets[-1], np.uint8)
    return Tokens(random.integers(5, 90, offsets[-1]).astype(np.uint16), types, offsets, 90, int(lengths.max()))


def make_teacher(family, **changes):
    torch.manual_seed(1)
    heads = {"n_heads": 2} if family == "distilbert" else {"num_attention_heads": 2}
    shape = {**CONFIGS[family], **heads, "initializer_range": WIDE, **changes}
    return AutoModel.from_config(AutoConfig.for_model(family, **shape)).eval()


def make_pair(teacher, seed=0, **changes):
    config = make_student(SHAPE, teacher.config, seed=0).config
    config.update({**NO_DROPOUT, "num_attention_heads": 2, "initializer_range": WIDE, **changes})
    torch.manual_seed(seed)
    student = AutoModel.from_config(config).train()
    return DistillationPair(teacher, student, 2, 2, 2, 1)


def make_step(pairs, tokens, **options):
    optimizers = [make_optimizer(pair.student, 0.01, recordable=True) for pair in pairs]
    for optimizer in optimizers:
        set_rate(optimizer, 1e-3)
    options = {"compile_for": "not", "multiple": 16, **options}
    return gpu_steps(pairs, optimizers, tokens, CPU, batch=BATCH, seed=0, **options)


def train(step, count=STEPS):
    """Losses and gradient norms of some steps, each [steps, students]."""
    taken = [step.take(step.make(number)) for number in range(count)]
    return tuple(map(torch.stack, zip(*taken, strict=True)))


def train_plainly(pair, tokens, packed, count=STEPS):
    read_teacher, read_student = QkvReader(pair.teacher, 2), QkvReader(pair.student, 2)
    optimizer = make_optimizer(pair.student, 0.01)
    set_rate(optimizer, 1e-3)
    stream = RandomBatches(len(tokens), BATCH, 0) if packed else BatchStream(tokens.offsets, BATCH, 0)
    losses, norms = [], []
    for number in range(count):
        batch = make_batch(tokens, stream.rows(number), 1)
        with torch.no_grad():
            target = read_teacher(**batch.inputs)
        states = read_student(**batch.inputs)
        loss = relation_loss(target, states, batch.inputs["attention_mask"], 2, batch.weights)
        norms.append(update_weights(loss, pair.student, optimizer))
        losses.append(loss.detach())
    return torch.stack(losses)[:, None], torch.stack(norms)[:, None]


def check_same(actual, expected):
    for values, right in zip(actual, expected, strict=True):
        torch.testing.assert_close(values, right, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("family", CONFIGS)
def test_every_family_trains_as_the_plain_loop_does(family, tokens):
    teacher = make_teacher(family)
    step = make_step([make_pair(teacher)], tokens)
    assert step.packed == (family in PACKABLE)
    check_same(train(step), train_plainly(make_pair(teacher), tokens, step.packed))
    assert teacher.config._attn_implementation == make_teacher(family).config._attn_implementation


def test_students_of_a_cohort_are_those_made_alone(tokens):
    teacher = make_teacher("bert")
    together = [make_pair(teacher, seed) for seed in range(2)]
    losses, _ = train(make_step(together, tokens), 1)
    for number, pair in enumerate(together):
        alone = make_pair(teacher, number)
        assert torch.equal(train(make_step([alone], tokens), 1)[0][:, 0], losses[:, number])
        for weight, expected in zip(pair.student.parameters(), alone.student.parameters(), strict=True):
            assert torch.equal(weight, expected)


def test_attention_dropout_is_that_of_the_configuration_and_follows_the_seed(tokens):
    teacher = make_teacher("bert")
    runs = []
    for seed, drop in ((0, 0.0), (0, 0.5), (0, 0.5), (1, 0.5)):
        step = make_step([make_pair(teacher, attention_probs_dropout_prob=drop)], tokens)
        torch.manual_seed(seed)
        runs.append(torch.cat(train(step, 1)))
    assert torch.equal(runs[1], runs[2])
    assert not torch.isclose(runs[0], runs[1], rtol=1e-4).any()
    assert not torch.isclose(runs[1], runs[3], rtol=1e-4).any()


@pytest.mark.parametrize("family", ["bert", "modernbert"])
def test_layers_compile_whole_and_once_for_all_numbers_of_tokens(family, tokens, monkeypatch):
    """With the whole compiler except the generation of kernels. A graph break would be an error."""
    torch._dynamo.reset()
    counters.clear()
    whole = partial(torch.compile, backend="aot_eager_decomp_partition", fullgraph=True)
    monkeypatch.setattr(torch, "compile", whole)
    teacher = make_teacher(family)
    step = make_step([make_pair(teacher)], tokens, compile_for="once", multiple=1)
    assert len({step.make(number).inputs["input_ids"].shape for number in range(STEPS)}) == STEPS
    check_same(train(step), train_plainly(make_pair(teacher), tokens, packed=True))
    assert counters["stats"]["unique_graphs"] == 2  # the teacher's layer and the student's


def test_recorded_steps_train_like_others(tokens):
    teacher, recorder, count = make_teacher("bert"), Rerun(), WARM + 2
    step = make_step([make_pair(teacher)], tokens, multiple=48)
    recorded = train(replace(step, take=RecordedSteps(step.take, recorder)), count)
    assert (recorder.recorded, recorder.replayed) == (1, 2)
    check_same(recorded, train_plainly(make_pair(teacher), tokens, packed=True, count=count))


def test_the_padded_path_says_why(tokens, caplog):
    with caplog.at_level(logging.WARNING):
        assert not make_step([make_pair(make_teacher("mpnet"))], tokens).packed
    assert "runs padded, not packed: the teacher is mpnet, whose attention cannot be replaced" in caplog.text


def test_what_cannot_run_packed():
    pair = make_pair(make_teacher("bert"))
    assert why_padded(pair, 512) is None
    assert why_padded(pair, 513) == "a text has 513 tokens (packed are at most 512)"
    wide = make_pair(make_teacher("bert", hidden_size=300))
    assert "the teacher's attention heads have 150 numbers (packed are at most 128)" in str(why_padded(wide, 9))
    few = DistillationPair(make_teacher("bert", hidden_size=160), pair.student, 2, 2, 1, 1)
    assert "the teacher's relation heads have more than 128 numbers" in str(why_padded(few, 9))


def test_pairs_of_different_teachers_are_refused(tokens):
    with pytest.raises(ValueError, match="same teacher"):
        make_step([make_pair(make_teacher("bert")), make_pair(make_teacher("bert"))], tokens)
