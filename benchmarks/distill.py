"""How fast distillation runs: the plain loop, each improvement on top of it, and the library's own loop, in one run.

    python -m benchmarks.distill [BOOK] [--teacher FOLDER] [--steps 20]

Without a GPU it takes the quickstart's setting: its teacher and textbook, a student of 3 layers of 192, batches of 64.
On a GPU it takes the paper's: a teacher of RoBERTa-large's shape, a student of 6 layers of 384, 64 relation heads,
batches of 256. Prints a table and writes `benchmarks/results/distill-cpu.json` or `distill-gpu.json`. Tokens are real
ones: padding doesn't count. The share of the peak is that of the useful operations in what the device's matrix products
reach.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModel, RobertaConfig

from textbook.files import write_json
from textbook.models.encoder import QkvReader, load_config, load_tokenizer, resolve_layer
from textbook.models.flops import distillation_flops
from textbook.models.student import make_student
from textbook.params import Distill, Second, Student
from textbook.textbooks.book import read_book
from textbook.training.batches import BatchStream
from textbook.training.device import Device, best_device
from textbook.training.distill import LOG_EVERY, distill
from textbook.training.optimizer import make_optimizer, set_rate
from textbook.training.relations import relation_loss
from textbook.training.tokens import Tokens, collate, tokenize

RESULTS = Path("benchmarks/results")
LENGTH = 128
SENTENCES = 100_000


@dataclass(frozen=True)
class Setting:
    """Whom to distil into what, and in which batches."""

    teacher: Any
    teacher_layer: int
    shape: Student
    heads: int
    batch: int
    pad_id: int
    tokens: Tokens


@dataclass(frozen=True)
class Variant:
    """A loop: what it does that the plain one doesn't."""

    name: str
    attention: str = "eager"
    dynamic: bool = False  # pads to the longest of the batch instead of 128
    sorted: bool = False  # batches of similar length
    stops: bool = False  # at the layer that is read
    bf16: bool = False


PLAIN = Variant("plain: eager attention, padded to 128, all layers, fp32")
DYNAMIC = replace(PLAIN, name="dynamic padding, SDPA", attention="sdpa", dynamic=True)
SORTED = replace(DYNAMIC, name="+ batches of similar length", sorted=True)
STOPS = replace(SORTED, name="+ both models stop at the layer that is read", stops=True)
BF16 = replace(STOPS, name="+ teacher in bf16, student in bf16 autocast", bf16=True)


def read_all_layers(encoder: nn.Module, layer: int) -> Callable[[Tensor, Tensor], tuple[Tensor, ...]]:
    """Reads queries, keys and values of a layer, but lets the encoder run to its end."""
    attention = encoder.encoder.layer[layer - 1].attention.self
    found: dict[str, Tensor] = {}
    for name in ("query", "key", "value"):
        getattr(attention, name).register_forward_hook(partial(_keep, found, name))

    def read(ids: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        encoder(input_ids=ids, attention_mask=mask)
        return found["query"], found["key"], found["value"]

    return read


def _keep(found: dict[str, Tensor], name: str, _module: nn.Module, _inputs: Any, output: Tensor) -> None:
    found[name] = output


def batches(setting: Setting, variant: Variant) -> Iterator[dict[str, Tensor]]:
    """Batches as the variant makes them."""
    lengths = setting.tokens.lengths()
    stream = BatchStream(lengths if variant.sorted else np.zeros_like(lengths), setting.batch, seed=0)
    for step in range(1_000_000):
        batch = collate(setting.tokens, stream.rows(step), setting.pad_id)
        short = LENGTH - batch["input_ids"].shape[1]
        if not variant.dynamic and short:
            padding = {"input_ids": setting.pad_id, "attention_mask": 0, "token_type_ids": 0}
            batch = {name: nn.functional.pad(part, (0, short), value=padding[name]) for name, part in batch.items()}
        yield batch


def run_variant(setting: Setting, variant: Variant, device: Device, steps: int) -> float:
    """Real tokens per second of a variant."""
    teacher, student = models(setting, variant.attention)
    dtype = torch.bfloat16 if variant.bf16 else torch.float32
    teacher.to(device.kind, dtype).eval()
    student.to(device.kind).train()
    read = QkvReader if variant.stops else read_all_layers
    read_teacher, read_student = read(teacher, setting.teacher_layer), read(student, setting.shape.layers)
    optimizer = make_optimizer(student, 0.01)
    set_rate(optimizer, 1e-4)
    seen, start = 0, 0.0
    for step, batch in zip(range(steps + 2), batches(setting, variant), strict=False):
        if step == 2:  # the first two steps allocate
            synchronize(device)
            seen, start = 0, time.perf_counter()
        ids, mask = batch["input_ids"].to(device.kind), batch["attention_mask"].to(device.kind)
        with torch.no_grad():
            theirs = read_teacher(ids, mask)
        with torch.autocast(device.kind.type, torch.bfloat16, enabled=variant.bf16):
            ours = read_student(ids, mask)
        relation_loss(theirs, ours, mask, setting.heads).backward()
        nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seen += int(batch["attention_mask"].sum())
    synchronize(device)
    return seen / (time.perf_counter() - start)


def run_library(setting: Setting, device: Device, steps: int) -> float:
    """Real tokens per second of `textbook.training.distill`, after its first window."""
    teacher, student = models(setting, "sdpa")
    speeds: list[float] = []
    settings = Distill(
        init="random",
        teacher="task",
        textbook="contextualized",
        second=Second(epochs=1, lr=1e-4, warmup=0.06),
        relation_heads=setting.heads,
        teacher_layer=setting.teacher_layer,
        steps=(-(-steps // LOG_EVERY) + 1) * LOG_EVERY,
        batch=setting.batch,
        lr=1e-4,
        warmup=0.01,
        weight_decay=0.01,
        max_length=LENGTH,
        seed=0,
    )
    distill(
        teacher,
        student,
        setting.tokens,
        settings,
        teacher_layer=setting.teacher_layer,
        student_layer=setting.shape.layers,
        pad_id=setting.pad_id,
        device=device,
        log=lambda _, figures: speeds.append(figures["tokens_per_second"]),
    )
    return len(speeds[1:]) / sum(1 / speed for speed in speeds[1:])


def models(setting: Setting, attention: str) -> tuple[nn.Module, nn.Module]:
    """Teacher and student with random weights: speed doesn't depend on them."""
    torch.manual_seed(0)
    teacher = AutoModel.from_config(setting.teacher, attn_implementation=attention)
    student = make_student(setting.shape, setting.teacher, seed=0)
    student.set_attn_implementation(attention)
    return teacher, student


def synchronize(device: Device) -> None:
    """Wait for the device."""
    if device.kind.type == "cuda":
        torch.cuda.synchronize()


def peak_flops(device: Device) -> float:
    """Operations per second of a large matrix product in the best precision of the device."""
    size = 8192 if device.kind.type == "cuda" else 2048
    a = torch.randn(size, size, device=device.kind, dtype=device.dtype)
    best = float("inf")
    for _ in range(8):
        synchronize(device)
        start = time.perf_counter()
        a @ a
        synchronize(device)
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def make_setting(book: Path, teacher: Path, device: Device) -> Setting:
    """The paper's setting on a GPU, the quickstart's elsewhere; the texts are those of the textbook in both."""
    tokens = tokenize(load_tokenizer(teacher), read_book(book)[0][:SENTENCES], None, LENGTH)
    config = load_config(teacher)
    small = Student(layers=3, hidden=192, heads=12, intermediate=768)
    found = Setting(config, config.num_hidden_layers, small, 24, 64, config.pad_token_id, tokens)
    if device.kind.type == "cuda":
        large = RobertaConfig(vocab_size=50265, max_position_embeddings=514, pad_token_id=1, type_vocab_size=1)
        large.update(
            {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
        )
        layer = resolve_layer("auto", 24, "roberta")
        paper = Student(layers=6, hidden=384, heads=12, intermediate=1536)
        found = Setting(large, layer, paper, 64, 256, 1, tokens)
    return found


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path("data/textbooks/rotten_tomatoes/contextualized.parquet")
    parser.add_argument("book", type=Path, nargs="?", default=default)
    parser.add_argument("--teacher", type=Path, default=Path("data/models/rotten_tomatoes/teacher"))
    parser.add_argument("--steps", type=int, default=20)
    chosen = parser.parse_args()
    device = best_device()
    setting = make_setting(chosen.book, chosen.teacher, device)
    peak = peak_flops(device)
    student = make_student(setting.shape, setting.teacher, seed=0).config
    lengths = setting.tokens.lengths()
    useful = float(
        np.mean(
            [
                distillation_flops(setting.teacher, setting.teacher_layer, student, setting.shape.layers, int(length))
                for length in lengths[:5000]
            ]
        )
        / lengths[:5000].mean()
    )
    speeds = {}
    for variant in (PLAIN, DYNAMIC, SORTED, STOPS, *([BF16] if device.bf16 else [])):
        speeds[variant.name] = run_variant(setting, variant, device, chosen.steps)
    speeds["the library's loop"] = run_library(setting, device, chosen.steps)
    plain, ours = speeds[PLAIN.name], speeds["the library's loop"]
    on_gpu = device.kind.type == "cuda"
    figures = {
        "device": torch.cuda.get_device_name() if on_gpu else f"{torch.get_num_threads()} cores, {device}",
        "real_tokens_per_second": round(ours),
        "speedup_vs_plain": round(ours / plain, 2),
        "share_of_peak": round(ours * useful / peak, 4),
        "peak_tflops": round(peak / 1e12, 3),
        "ladder": {name: round(speed) for name, speed in speeds.items()},
    }
    write_json(RESULTS / ("distill-gpu.json" if on_gpu else "distill-cpu.json"), figures)
    print(f"{'loop':60} {'tokens/s':>9} {'vs plain':>8} {'of peak':>8}")
    for name, speed in speeds.items():
        print(f"{name:60} {speed:9,.0f} {speed / plain:7.1f}x {speed * useful / peak:8.1%}")


if __name__ == "__main__":
    main()
