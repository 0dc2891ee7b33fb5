"""The optimised loop computes the same losses as a plain loop, over 300 steps."""

import numpy as np
import pytest
import torch
from toy_run import NO_DROPOUT, SETTINGS, logged_values, toy_student, toy_tokens

from textbook.models.encoder import load_encoder
from textbook.training.engine.batches import BatchStream
from textbook.training.engine.device import Device

STEPS = 300


def plain_relations(states, mask, heads):
    batch, length, hidden = states.shape
    x = states.reshape(batch, length, heads, hidden // heads).permute(0, 2, 1, 3)
    scores = x @ x.transpose(-1, -2) / (hidden // heads) ** 0.5
    return scores.masked_fill(~mask[:, None, None, :], -torch.inf).softmax(-1)


def plain_losses(teacher_folder):
    """Losses of a plain loop: eager attention, all layers, padding to 32 tokens, PyTorch's AdamW and schedule."""
    teacher = load_encoder(teacher_folder).eval()
    student = toy_student(teacher_folder, **NO_DROPOUT).train()
    for model in (teacher, student):
        model.set_attn_implementation("eager")
    states = {}
    for role, model in (("teacher", teacher), ("student", student)):
        for name in ("query", "key", "value"):
            part = getattr(model.encoder.layer[1].attention.self, name)
            part.register_forward_hook(lambda _, __, output, key=(role, name): states.update({key: output}))
    decaying = [p for p in student.parameters() if p.ndim > 1]
    others = [p for p in student.parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW(
        [{"params": decaying, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}], SETTINGS.lr, eps=1e-6
    )
    warmup_steps = 0.1 * STEPS
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup_steps, (STEPS - step) / (STEPS - warmup_steps))
    )
    tokens = toy_tokens(teacher_folder)
    stream = BatchStream(tokens.offsets, SETTINGS.batch, SETTINGS.seed)
    losses = []
    for step in range(STEPS):
        texts = [
            torch.from_numpy(tokens.ids[tokens.offsets[n] : tokens.offsets[n + 1]].astype(int))
            for n in stream.rows(step)
        ]
        ids = torch.zeros(len(texts), 32, dtype=torch.long)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = text
        mask = ids != 0
        with torch.no_grad():
            teacher(input_ids=ids, attention_mask=mask.long())
        student(input_ids=ids, attention_mask=mask.long())
        loss = 0
        for name in ("query", "key", "value"):
            target = plain_relations(states["teacher", name].detach(), mask, 4)
            actual = plain_relations(states["student", name], mask, 4)
            terms = torch.where(target > 0, target * (target.clamp_min(1e-30).log() - actual.clamp_min(1e-30).log()), 0)
            loss = loss + ((terms.sum(-1).mean(1) * mask).sum(1) / mask.sum(1)).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return np.array(losses).reshape(-1, 10).mean(1)  # the loop logs means of 10 steps


@pytest.fixture(scope="module")
def plain(one_thread, tiny_teacher):
    return plain_losses(tiny_teacher)


def fast_losses(teacher_folder, bf16):
    student = toy_student(teacher_folder, **NO_DROPOUT)
    return logged_values(teacher_folder, student=student, steps=STEPS, devices=[Device(torch.device("cpu"), bf16)])


def test_fp32_losses_match_the_plain_loop(tiny_teacher, plain):
    losses = fast_losses(tiny_teacher, bf16=False)
    assert len(losses) == 30
    assert losses[-1] < 0.7 * losses[0]  # the student learns
    assert losses == pytest.approx(plain, rel=1e-4)


def test_bf16_losses_match_the_plain_loop_within_noise(tiny_teacher, plain):
    assert fast_losses(tiny_teacher, bf16=True) == pytest.approx(plain, rel=0.01)
