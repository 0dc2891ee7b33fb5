"""Recorded steps without the capture by CUDA: their shapes, their memory, and that they train like other steps."""

import pytest
import torch
from toy_run import NO_DROPOUT, SETTINGS, toy_student, toy_tokens

from textbook.models.encoder import QkvReader, load_encoder
from textbook.training.distillation.graphs import MULTIPLE, WARM, RecordedSteps, compiled_relation_loss
from textbook.training.distillation.relations import relation_loss
from textbook.training.engine.batches import BatchStream
from textbook.training.engine.feed import make_batch
from textbook.training.engine.optimizer import learning_rate, make_optimizer, set_rate

STEPS = 60


class Rerun:
    """A recorder for any device: a replay runs the work again, on the memory that it was recorded with."""

    def __init__(self):
        self.recorded = self.replayed = 0

    def run(self, work):
        return work()

    def record(self, work):
        self.recorded += 1
        results = (torch.zeros(()), torch.zeros(()))

        def replay():
            self.replayed += 1
            for place, result in zip(results, work(), strict=True):
                place.resize_(result.shape).copy_(result)

        return replay, results


def train(teacher_folder, recorder=None):
    """Train, with recorded steps if a recorder is given. Returns losses and gradient norms, and the final weights."""
    tokens = toy_tokens(teacher_folder)
    stream = BatchStream(tokens.offsets, 17, 0)  # the last batch of an epoch has 13 texts
    student = toy_student(teacher_folder, **NO_DROPOUT)
    optimizer = make_optimizer(student, 0.01, recordable=recorder is not None)
    read_teacher, read_student = QkvReader(load_encoder(teacher_folder).eval(), 2), QkvReader(student, 2)

    def step(batch):
        with torch.no_grad():
            target = read_teacher(**batch.inputs)
        states = read_student(**batch.inputs)
        loss = relation_loss(target, states, batch.inputs["attention_mask"], 4, batch.weights)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach(), norm

    shape = {"size": 17, "multiple": MULTIPLE} if recorder else {}
    run = RecordedSteps(step, recorder) if recorder else step
    results = []
    for number in range(STEPS):
        set_rate(optimizer, learning_rate(number, STEPS, SETTINGS))
        results.append(run(make_batch(tokens, stream.rows(number), 0, **shape)))
    return torch.tensor(results), student.state_dict()


def test_recorded_steps_train_like_plain_steps(tiny_teacher):
    recorder = Rerun()
    plain, weights = train(tiny_teacher)
    recorded, recorded_weights = train(tiny_teacher, recorder)
    assert recorder.recorded == 2  # lengths of 16 and 32; all batches have the same number of sentences
    assert recorder.replayed == STEPS - 2 * WARM
    torch.testing.assert_close(recorded, plain, rtol=1e-5, atol=1e-6)
    for name, value in weights.items():
        torch.testing.assert_close(recorded_weights[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_compiles_without_graph_breaks_to_the_same_loss(weighted):
    torch.manual_seed(0)
    compiled = compiled_relation_loss("aot_eager")  # the whole compiler except the generation of kernels
    for length in (4, 6):
        mask = torch.ones(3, length, dtype=torch.long)
        mask[1, 2:] = 0
        weights = torch.tensor([0.5, 0.5, 0.0]) if weighted else None
        teacher = tuple(torch.randn(3, length, 16) for _ in range(3))
        student = tuple(torch.randn(3, length, 8, requires_grad=True) for _ in range(3))
        expected, actual = (loss(teacher, student, mask, 4, weights) for loss in (relation_loss, compiled))
        torch.testing.assert_close(actual, expected)
        gradients = [torch.autograd.grad(loss, student) for loss in (actual, expected)]
        for actual_gradient, expected_gradient in zip(*gradients, strict=True):
            torch.testing.assert_close(actual_gradient, expected_gradient)
