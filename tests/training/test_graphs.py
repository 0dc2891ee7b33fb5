"""All of the recorded step but CUDA's own capture: its shapes, its memory, and that it learns the same."""

import pytest
import torch
from toy_run import NO_DROPOUT, SETTINGS, toy_student, toy_tokens

from textbook.models.encoder import QkvReader, load_encoder
from textbook.training.batches import BatchStream
from textbook.training.feed import make_batch
from textbook.training.graphs import MULTIPLE, WARM, RecordedSteps, compiled_relation_loss
from textbook.training.optimizer import learning_rate, make_optimizer, set_rate
from textbook.training.relations import relation_loss

STEPS = 60


class Rerun:
    """A recorder for any device: does the work again, with the memory that was there when it was recorded."""

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
                place.copy_(result)

        return replay, results


def train(teacher_folder, recorder=None):
    """Losses, gradient norms and final weights, step by step or recorded."""
    tokens = toy_tokens(teacher_folder)
    stream = BatchStream(tokens.offsets, 17, 0)  # the last batch of an epoch has 13 texts
    student = toy_student(teacher_folder, **NO_DROPOUT)
    optimizer = make_optimizer(student, 0.01, recordable=recorder is not None)
    read_teacher, read_student = QkvReader(load_encoder(teacher_folder).eval(), 2), QkvReader(student, 2)

    def step(batch):
        with torch.no_grad():
            theirs = read_teacher(**batch.inputs)
        ours = read_student(**batch.inputs)
        loss = relation_loss(theirs, ours, batch.inputs["attention_mask"], 4, batch.weights)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach(), norm

    shape = {"size": 17, "multiple": MULTIPLE} if recorder else {}
    run = RecordedSteps(step, recorder) if recorder else step
    results = []
    for number in range(STEPS):
        set_rate(optimizer, learning_rate(number, peak=SETTINGS.lr, warmup=0.1, steps=STEPS))
        results.append(run(make_batch(tokens, stream.rows(number), 0, **shape)))
    return torch.tensor(results), student.state_dict()


def test_recorded_steps_are_the_steps_themselves(tiny_teacher):
    recorder = Rerun()
    plain, weights = train(tiny_teacher)
    found, recorded_weights = train(tiny_teacher, recorder)
    assert recorder.recorded == 2  # lengths of 16 and 32, and no other number of sentences
    assert recorder.replayed == STEPS - 2 * WARM
    torch.testing.assert_close(found, plain, rtol=1e-5, atol=1e-6)
    for name, value in weights.items():
        torch.testing.assert_close(recorded_weights[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_compiles_whole_and_stays_the_same(weighted):
    torch.manual_seed(0)
    compiled = compiled_relation_loss("aot_eager")  # all of the compiler but the kernels it would write
    for length in (4, 6):
        mask = torch.ones(3, length, dtype=torch.long)
        mask[1, 2:] = 0
        weights = torch.tensor([0.5, 0.5, 0.0]) if weighted else None
        theirs = tuple(torch.randn(3, length, 16) for _ in range(3))
        ours = tuple(torch.randn(3, length, 8, requires_grad=True) for _ in range(3))
        expected, found = (loss(theirs, ours, mask, 4, weights) for loss in (relation_loss, compiled))
        torch.testing.assert_close(found, expected)
        for one, other in zip(torch.autograd.grad(found, ours), torch.autograd.grad(expected, ours), strict=True):
            torch.testing.assert_close(one, other)
