"""A cohort of students with random weights on the fast step of a GPU: what the benchmark `distill_gpu` measures."""

import gc
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile
from transformers import AutoModel, PreTrainedModel

from benchmarks.setting import Setting
from textbook.files import atomic_write
from textbook.models.flops import flops_to_qkv
from textbook.models.student import make_student
from textbook.training.distillation.gpu_step import GpuSteps, gpu_steps
from textbook.training.distillation.pair import DistillationPair
from textbook.training.engine.device import Device, peak_flops
from textbook.training.engine.feed import prefetch
from textbook.training.engine.optimizer import make_optimizer, set_rate

RATE = 3e-4
WARM = 4  # steps of each shape before the measurement: two run, and the third is recorded


class Run:
    """Models, optimizers and the fast step of a cohort.

    Args:
        count: students, with different seeds.
        changes: replace fields of the students' configuration.
        options: arguments of `gpu_steps`.
    """

    def __init__(self, setting: Setting, device: Device, count: int = 1, changes: Any = None, **options: Any) -> None:
        self.device, self.tokens = device, setting.tokens
        teacher = new_teacher(setting, device).to(device.dtype)
        students = [new_student(setting, device, seed, **(changes or {})) for seed in range(count)]
        pairs = [
            DistillationPair(
                teacher, student, setting.teacher_layer, setting.shape.layers, setting.heads, setting.pad_id
            )
            for student in students
        ]
        optimizers = [make_optimizer(student, 0.01, recordable=True) for student in students]
        for optimizer in optimizers:
            set_rate(optimizer, RATE)
        torch.manual_seed(0)
        options = {"batch": setting.batch, "seed": 0, **options}
        self.students = students
        self.steps: GpuSteps = gpu_steps(pairs, optimizers, setting.tokens, device, **options)

    def losses(self, count: int) -> list[float]:
        """Losses of the first student over some steps."""
        taken = [self.steps.take(self.steps.make(step).to(self.device.kind))[0][0] for step in range(count)]
        return torch.stack(taken).tolist()

    def warm_up(self, steps: int) -> float:
        """Run each shape of these steps until it is recorded. Returns the seconds that took."""
        start = time.perf_counter()
        shapes = {batch.inputs["input_ids"].shape: batch for batch in map(self.steps.make, range(steps))}
        for batch in shapes.values():
            for _ in range(WARM if self.device.kind.type == "cuda" else 1):
                self.steps.take(batch.to(self.device.kind))
        self.device.synchronize()
        return time.perf_counter() - start

    def speed(self, steps: int) -> tuple[float, float]:
        """Tokens per second without padding, batches made beside, and the seconds of the longest step."""
        tokens, longest = 0, 0.0
        self.device.synchronize()
        start = last = time.perf_counter()
        with prefetch(self.steps.make, range(steps)) as batches:
            for batch in batches:
                self.steps.take(batch.to(self.device.kind))
                tokens += int(batch.lengths.sum())
                longest, last = max(longest, time.perf_counter() - last), time.perf_counter()
        self.device.synchronize()
        return tokens / (time.perf_counter() - start), longest


def new_teacher(setting: Setting, device: Device) -> PreTrainedModel:
    """A teacher with random weights."""
    torch.manual_seed(0)
    with device.kind:
        teacher: PreTrainedModel = AutoModel.from_config(setting.teacher)
    return teacher.eval()


def new_student(setting: Setting, device: Device, seed: int, **changes: Any) -> PreTrainedModel:
    """A student with random weights of a seed; `changes` replace fields of its configuration."""
    config = make_student(setting.shape, setting.teacher, seed=0).config
    config.update(changes)
    torch.manual_seed(seed)
    student: PreTrainedModel = AutoModel.from_config(config)
    return nn.Module.to(student, device.kind).train()


def release() -> None:
    """Free the memory of the last measurement."""
    gc.collect()
    torch._dynamo.reset()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def measure_cohort(setting: Setting, device: Device, steps: int, count: int, **options: Any) -> dict[str, float]:
    """Student tokens per second of a cohort, share of the peak, peak memory, and seconds of compilation."""
    release()
    run = Run(setting, device, count, **options)
    ready = run.warm_up(2 * steps)
    speed, longest = run.speed(2 * steps)
    peak = peak_flops(device)
    memory = torch.cuda.max_memory_allocated() if device.kind.type == "cuda" else 0
    return {
        "student_tokens_per_second": round(count * speed),
        "share_of_peak": round(speed * useful_flops(setting, count) / peak, 4),
        "ready_seconds": round(ready, 1),
        "longest_step_seconds": round(longest, 3),
        "peak_memory_gb": round(memory / 1e9, 2),
        "packed": run.steps.packed,
    }


def useful_flops(setting: Setting, students: int) -> float:
    """FLOPs of a step of a cohort by token: a pass of the teacher, and forward and backward of each student."""
    lengths = setting.tokens.lengths()
    student = make_student(setting.shape, setting.teacher, seed=0).config
    teacher_pass = flops_to_qkv(setting.teacher, setting.teacher_layer, lengths).sum()
    student_pass = flops_to_qkv(student, setting.shape.layers, lengths).sum()
    return float((teacher_pass + 3 * students * student_pass) / lengths.sum())


def write_profile(setting: Setting, device: Device, path: Path) -> None:
    """Profile five steps of one student by kernel."""
    release()
    run = Run(setting, device)
    run.warm_up(5)
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as times:
        run.speed(5)
    table = times.key_averages().table(sort_by="self_cuda_time_total", row_limit=30, max_name_column_width=90)
    with atomic_write(path) as temporary:
        temporary.write_text(f"{table}\n")
