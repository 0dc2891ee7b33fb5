"""Students that share a pass of the teacher: tokens per second of cohorts of several sizes."""

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from transformers import BertConfig

from benchmarks.setting import SETTINGS, Setting, models
from textbook.models.student import make_student
from textbook.training.distillation.cohort import LOG_EVERY, distill_cohort
from textbook.training.distillation.learner import Member
from textbook.training.distillation.pair import DistillationPair
from textbook.training.engine.device import Device

COHORTS = (1, 2, 4, 8)  # students that share a pass of the teacher


def measure_cohorts(setting: Setting, device: Device, steps: int) -> dict[str, dict[str, int]]:
    """Tokens per second of cohorts with the quickstart's teacher, and with a large one of 12 layers of 768."""
    large = BertConfig(vocab_size=setting.teacher.vocab_size, pad_token_id=setting.pad_id)
    with_large = replace(setting, teacher=large, teacher_layer=large.num_hidden_layers)
    return {
        "cohorts": run_cohorts(setting, device, steps),
        "cohorts_large": run_cohorts(with_large, device, steps // 2),
    }


def run_cohort(setting: Setting, device: Device, steps: int, count: int) -> float:
    """Tokens per second without padding of a cohort's students together: each of them learns from every token."""
    teacher, first = models(setting, "sdpa")
    students = [first, *(make_student(setting.shape, setting.teacher, seed) for seed in range(1, count))]
    lines: list[Mapping[str, float]] = []
    rounded = LOG_EVERY + -(-steps // LOG_EVERY) * LOG_EVERY  # the first line of the log warms up
    settings: Any = SimpleNamespace(**SETTINGS, batch=setting.batch, steps=rounded)
    layers = setting.teacher_layer, setting.shape.layers
    members = [
        Member(DistillationPair(teacher, student, *layers, setting.heads, setting.pad_id), settings)
        for student in students
    ]
    members[0] = replace(members[0], log=lambda _, figures: lines.append(figures))
    distill_cohort(members, setting.tokens, devices=[device])
    measured = lines[1:]
    return count * len(measured) / sum(1 / line["tokens_per_second"] for line in measured)


def run_cohorts(setting: Setting, device: Device, steps: int) -> dict[str, int]:
    """Tokens per second of cohorts of several sizes, by size."""
    return {str(count): round(run_cohort(setting, device, steps, count)) for count in COHORTS}
