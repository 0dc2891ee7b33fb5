"""The speed of distillation: a plain loop, each optimisation added to it, and the library's own loop, in one run.

    python -m benchmarks.distill [BOOK] [--teacher FOLDER] [--steps 20] [--profile]

Without a GPU it uses the quickstart's setting: its teacher and textbook, a student of 3 layers of 192, batches of 64.
With a GPU it uses the paper's: a teacher of RoBERTa-large's shape, a student of 6 layers of 384, 64 relation heads,
batches of 256. All weights are random, so only the tokenizer and the configuration are read from the teacher's folder.

Prints a table and writes `benchmarks/results/distill-cpu.json` or `distill-gpu.json`. With `--profile` it also writes
`distill-…-profile.txt`, a profile of the fastest loop by kernel or operation. Tokens are counted without padding. The
share of the peak is useful FLOP/s over peak FLOP/s, which is measured with matrix products on the CPU and taken from
the data sheet on a GPU. The benchmark needs only PyTorch, transformers and pyarrow: on a machine without the project's
other dependencies, run it with `PYTHONPATH=src`.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from transformers import PreTrainedTokenizerBase

from benchmarks.cohorts import measure_cohorts
from benchmarks.setting import SETTINGS, Setting, make_setting, models
from textbook.files import atomic_write, write_json
from textbook.models.encoder import QkvReader, load_tokenizer
from textbook.models.flops import distillation_flops
from textbook.models.student import make_student
from textbook.training.distillation.cohort import LOG_EVERY
from textbook.training.distillation.distill import distill
from textbook.training.distillation.graphs import MULTIPLE, WARM, CudaRecorder, RecordedSteps, compiled_relation_loss
from textbook.training.distillation.pair import DistillationPair
from textbook.training.distillation.relations import relation_loss
from textbook.training.engine.batches import BatchStream
from textbook.training.engine.device import Device, best_device, measured_flops, peak_flops
from textbook.training.engine.feed import Batch, make_batch
from textbook.training.engine.optimizer import make_optimizer, set_rate
from textbook.training.engine.tokens import tokenize

RESULTS = Path("benchmarks/results")
LENGTH = 128
SENTENCES = 100_000
TOKENIZED = 20_000
LIBRARY, RECORDED = "the library's loop", "the library's loop, with cuda_graphs"


@dataclass(frozen=True)
class Variant:
    """A training loop and its optimisations; the defaults are the plain loop."""

    name: str
    autocast: bool = False  # matrix products in bf16 with fp32 weights
    attention: str = "eager"
    dynamic: bool = False  # pad to the longest sentence of the batch instead of 128
    sorted: bool = False  # batches of similar length
    stops: bool = False  # models stop at the layer that is read
    teacher_bf16: bool = False  # weights of the teacher in bf16
    graphs: bool = False  # a CUDA graph per padded length, which includes the optimizer
    compiled: bool = False  # compiled relation loss


def ladder(device: Device) -> list[Variant]:
    """The plain loop, and variants that add one optimisation each."""
    on_gpu = device.kind.type == "cuda"
    plain = Variant(
        f"plain: eager attention, padded to 128, all layers, {'bf16 autocast' if on_gpu else 'fp32'}", on_gpu
    )
    dynamic = replace(plain, name="dynamic padding, SDPA", attention="sdpa", dynamic=True)
    similar = replace(dynamic, name="+ batches of similar length", sorted=True)
    stops = replace(similar, name="+ both models stop at the layer that is read", stops=True)
    bf16 = replace(stops, name="+ teacher in bf16", teacher_bf16=True, autocast=True)
    if not on_gpu:
        bf16 = replace(bf16, name="+ teacher in bf16, student in bf16 autocast")
        return [plain, dynamic, similar, stops, *([bf16] if device.bf16 else [])]
    graphs = replace(bf16, name=f"+ a CUDA graph per padded length (multiples of {MULTIPLE})", graphs=True)
    return [
        plain,
        dynamic,
        similar,
        stops,
        bf16,
        graphs,
        replace(graphs, name="+ relation loss compiled", compiled=True),
    ]


def read_all_layers(encoder: nn.Module, layer: int) -> Callable[..., tuple[Tensor, ...]]:
    """A function that runs all layers of an encoder and returns queries, keys and values of one layer."""
    attention = encoder.encoder.layer[layer - 1].attention.self
    outputs: dict[str, Tensor] = {}
    for name in ("query", "key", "value"):
        getattr(attention, name).register_forward_hook(partial(_keep, outputs, name))

    def read(input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> tuple[Tensor, ...]:
        encoder(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        return outputs["query"], outputs["key"], outputs["value"]

    return read


def _keep(outputs: dict[str, Tensor], name: str, _module: nn.Module, _inputs: Any, output: Tensor) -> None:
    outputs[name] = output


def batches(setting: Setting, variant: Variant, steps: int) -> Iterator[Batch]:
    """The batches of a variant."""
    tokens, size = setting.tokens, setting.batch
    stream = BatchStream(tokens.offsets, size, seed=0)
    shuffled = np.random.default_rng(0).permutation(len(tokens))
    for step in range(steps):
        rows = stream.rows(step) if variant.sorted else shuffled[step * size : (step + 1) * size]
        multiple = MULTIPLE if variant.graphs else 1 if variant.dynamic else LENGTH
        yield make_batch(tokens, rows, setting.pad_id, size=size, multiple=multiple)


def step_of(setting: Setting, variant: Variant, device: Device) -> Callable[[Batch], tuple[Tensor, Tensor]]:
    """A training step of the variant, with new models."""
    teacher, student = models(setting, variant.attention)
    teacher.to(device.kind, torch.bfloat16 if variant.teacher_bf16 else torch.float32).eval()
    student.to(device.kind).train()
    read = QkvReader if variant.stops else read_all_layers
    read_teacher, read_student = read(teacher, setting.teacher_layer), read(student, setting.shape.layers)
    optimizer = make_optimizer(student, 0.01, recordable=variant.graphs)
    set_rate(optimizer, 1e-4)
    objective = compiled_relation_loss() if variant.compiled else relation_loss

    def step(batch: Batch) -> tuple[Tensor, Tensor]:
        with torch.autocast(device.kind.type, torch.bfloat16, enabled=variant.autocast):
            with torch.no_grad():
                target = read_teacher(**batch.inputs)
            states = read_student(**batch.inputs)
        loss = objective(target, states, batch.inputs["attention_mask"], setting.heads, batch.weights)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.detach(), norm

    return RecordedSteps(step, CudaRecorder()) if variant.graphs else step


def run_variant(setting: Setting, variant: Variant, device: Device, steps: int) -> float:
    """Tokens per second of a variant, without padding; the time includes making and copying the batches."""
    step = step_of(setting, variant, device)
    if variant.graphs:  # runs and records all shapes before the measurement
        for _ in range(WARM + 1):
            for batch in batches(setting, variant, steps):
                step(batch.to(device.kind))
    for batch in batches(setting, variant, 2):  # the first two steps allocate memory
        step(batch.to(device.kind))
    device.synchronize()
    seen, start = 0, time.perf_counter()
    for batch in batches(setting, variant, steps):
        step(batch.to(device.kind))
        seen += int(batch.lengths.sum())
    device.synchronize()
    return seen / (time.perf_counter() - start)


def run_library(setting: Setting, device: Device, steps: int, graphs: bool = False) -> tuple[float, float]:
    """Tokens per second of the library's loop, without padding, and the share of the time spent waiting for data."""
    teacher, student = models(setting, "sdpa")
    lines: list[dict[str, float]] = []
    warm = 300 if graphs else LOG_EVERY  # steps in which all lengths are recorded
    all_steps = warm + -(-steps // LOG_EVERY) * LOG_EVERY
    settings: Any = SimpleNamespace(**{**SETTINGS, "cuda_graphs": graphs}, steps=all_steps, batch=setting.batch)
    pair = DistillationPair(
        teacher,
        student,
        teacher_layer=setting.teacher_layer,
        student_layer=setting.shape.layers,
        relation_heads=setting.heads,
        pad_id=setting.pad_id,
    )
    distill(pair, setting.tokens, settings, devices=[device], log=lambda _, figures: lines.append(dict(figures)))
    measured = lines[warm // LOG_EVERY :]
    speed = len(measured) / sum(1 / line["tokens_per_second"] for line in measured)
    return speed, max(line["waiting"] for line in measured)


def tokenizing(tokenizer: PreTrainedTokenizerBase, sentences: list[str]) -> dict[str, int]:
    """Sentences per second of a plain call of the tokenizer, and of `tokenize`."""
    speeds = {}
    for name, work in (
        ("tokenizer(...)", lambda: tokenizer(sentences, truncation=True, max_length=LENGTH)),
        ("textbook.training.engine.tokens", lambda: tokenize(tokenizer, sentences, None, LENGTH)),
    ):
        start = time.perf_counter()
        work()
        speeds[name] = round(len(sentences) / (time.perf_counter() - start))
    return speeds


def write_profile(setting: Setting, variant: Variant, device: Device, path: Path) -> None:
    """Profile ten steps by kernel or operation."""
    step = step_of(setting, variant, device)
    profiled_batches = [batch.to(device.kind) for batch in batches(setting, variant, 10)]
    for batch in profiled_batches * (WARM + 1):
        step(batch)
    device.synchronize()
    on_gpu = device.kind.type == "cuda"
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]) as times:
        for batch in profiled_batches:
            step(batch)
        device.synchronize()
    order = "self_cuda_time_total" if on_gpu else "self_cpu_time_total"
    table = times.key_averages().table(sort_by=order, row_limit=25, max_name_column_width=70)
    with atomic_write(path) as temporary:
        temporary.write_text(f"{variant.name}\n{table}\n")
    print(table)


def main() -> None:
    """Measure all loops, print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path("data/textbooks/rotten_tomatoes/contextualized.parquet")
    parser.add_argument("book", type=Path, nargs="?", default=default)
    parser.add_argument("--teacher", type=Path, default=Path("data/models/rotten_tomatoes/teacher"))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--profile", action="store_true")
    chosen = parser.parse_args()
    device = best_device()
    on_gpu = device.kind.type == "cuda"
    tokenizer = load_tokenizer(chosen.teacher)
    sentences = pq.read_table(chosen.book, columns=["sentence"])["sentence"].to_pylist()[:SENTENCES]
    setting = make_setting(chosen.teacher, tokenize(tokenizer, sentences, None, LENGTH), device)
    peak = peak_flops(device) if on_gpu else measured_flops(device, 2048)
    student = make_student(setting.shape, setting.teacher, seed=0).config
    layers = setting.teacher_layer, setting.shape.layers
    lengths = setting.tokens.lengths()
    useful = distillation_flops(setting.teacher, layers[0], student, layers[1], lengths).sum() / lengths.sum()
    variants = ladder(device)
    speeds = {variant.name: run_variant(setting, variant, device, chosen.steps) for variant in variants}
    speeds[LIBRARY], waiting = run_library(setting, device, chosen.steps)
    if on_gpu:
        speeds[RECORDED], waiting = run_library(setting, device, chosen.steps, graphs=True)
    cohorts = {} if on_gpu else measure_cohorts(setting, device, chosen.steps)
    plain, before = speeds[variants[0].name], speeds[variants[-1].name]
    fastest = max(speeds[LIBRARY], speeds.get(RECORDED, 0.0))
    figures = {
        "device": torch.cuda.get_device_name() if on_gpu else f"{torch.get_num_threads()} cores, {device}",
        "real_tokens_per_second": round(fastest),
        "speedup_vs_plain": round(fastest / plain, 2),
        # PyTorch's dropout and the plain relation loss, as in the loop until commit c3a700f.
        **({} if on_gpu else {"before": round(before)}),
        **cohorts,
        "share_of_peak": round(fastest * useful / peak, 4),
        "peak_tflops": round(peak / 1e12, 3),
        "waiting_for_data": round(waiting, 5),
        "tokens_per_sentence": round(float(lengths.mean()), 1),
        "sentences_tokenized_per_second": tokenizing(tokenizer, sentences[:TOKENIZED]),
        "ladder": {name: round(speed) for name, speed in speeds.items()},
    }
    name = "distill-gpu" if on_gpu else "distill-cpu"
    write_json(RESULTS / f"{name}.json", figures)
    print(f"{'loop':60} {'tokens/s':>9} {'vs plain':>8} {'of peak':>8}")
    for loop, speed in speeds.items():
        print(f"{loop:60} {speed:9,.0f} {speed / plain:7.1f}x {speed * useful / peak:8.1%}")
    for name, cohort in cohorts.items():
        for count, speed in cohort.items():
            print(f"{f'{name}: {count} students, tokens/s of all':60} {speed:9,} {speed / cohort['1']:7.2f}x of one")
    print(f"waiting for data: at most {waiting:.2%} of the time")
    if chosen.profile:
        write_profile(setting, variants[-1], device, RESULTS / f"{name}-profile.txt")


if __name__ == "__main__":
    main()
