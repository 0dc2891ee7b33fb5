"""The fast step of distillation on one GPU: its speed, its memory, and that it trains as the plain loop does.

    PYTHONPATH=src python -m benchmarks.distill_gpu BOOK --teacher FOLDER [--steps 60] [--check 200] [--profile]

In the paper's setting: a teacher of RoBERTa-large's shape read at layer 19, a student of 6 layers of 384, 64 relation
heads, batches of 256 sentences. Weights are random; the tokenizer is read from the teacher's folder and the sentences
from the column `sentence` of BOOK. Takes less than 8 minutes on an H100. It needs only PyTorch with Triton,
transformers, pyarrow and what these bring. On a CPU, `TRITON_INTERPRET=1` runs it, slowly, for tests.

Writes `benchmarks/results/distill-gpu.json`, in tokens without padding:

- `ladder`: tokens/s of a student with each optimisation in turn, the project's loop so far among them;
- `cohorts`: student tokens/s of 1, 2, 4 and 8 students that share a teacher's pass, `share_of_peak` of the GPU, and
  `ready_seconds` until every shape is compiled and recorded, with `longest_step_seconds` after that;
- `mpnet`: the same for a teacher of MPNet-base's shape, which runs padded;
- `check`: differences from the losses of the plain loop over `--check` steps. Without dropout in fp32, the largest and
  the mean one, relative; in bf16, the same; with dropout, of the mean loss of the second half, beside the difference of
  two seeds of the plain loop;
- `deterministic`: whether two runs gave the same bits, as they are and with deterministic algorithms.
"""

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch
import transformers
import triton
from transformers import MPNetConfig

from benchmarks.distill import LENGTH, RESULTS, SENTENCES, Setting, ladder, make_setting, run_library, run_variant
from benchmarks.gpu_checks import check, check_determinism, check_padded
from benchmarks.gpu_run import measure_cohort, write_profile
from textbook.files import write_json
from textbook.models.encoder import load_tokenizer
from textbook.training.engine.device import Device, best_device
from textbook.training.engine.tokens import tokenize

COHORTS = (1, 2, 4, 8)
BEFORE = "the library's loop before: padded, a CUDA graph per length"


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    steps: int
    """Steps of each measurement."""
    check: int
    """Steps whose losses are compared."""
    check_batch: int
    """Sentences in a batch of these."""


def mpnet_setting(setting: Setting) -> Setting:
    """The same student and batches with a teacher of MPNet-base's shape, whose last layer is read."""
    config = MPNetConfig(vocab_size=setting.teacher.vocab_size, max_position_embeddings=514, pad_token_id=1)
    return replace(setting, teacher=config, teacher_layer=config.num_hidden_layers, heads=48)


def sections(setting: Setting, mpnet: Setting, device: Device, plan: Plan) -> dict[str, Callable[[], Any]]:
    """The measurements by their name in the results, most important first."""
    cohort = partial(measure_cohort, setting, device, plan.steps)
    loops: dict[str, dict[str, Any]] = {
        "packed, own kernels for attention and loss": {"compile_for": "not", "record": False},
        "+ a CUDA graph per number of tokens": {"compile_for": "not"},
        "+ layers compiled once": {},
        "+ layers compiled for each number of tokens": {"compile_for": "each"},
    }
    small = replace(setting, batch=plan.check_batch), replace(mpnet, batch=plan.check_batch)
    return {
        **{f"cohort of {count}": partial(cohort, count) for count in COHORTS},
        "check": partial(check, small[0], device, plan.check),
        "mpnet": partial(measure_cohort, mpnet, device, plan.steps, 1),
        "mpnet, cohort of 4": partial(measure_cohort, mpnet, device, plan.steps, 4),
        "mpnet check": partial(check_padded, small[1], device, plan.check),
        "deterministic": partial(check_determinism, setting, device, plan.steps),
        **{name: partial(cohort, 1, **options) for name, options in loops.items()},
    }


def run_sections(work: dict[str, Callable[[], Any]], figures: dict[str, Any], path: Path) -> bool:
    """Run the measurements and write the figures after each. One that fails is written as such, and the rest runs.

    Returns:
        Whether all succeeded.
    """
    good = True
    for name, section in work.items():
        start = time.perf_counter()
        try:
            figures[name] = section()
        except Exception as error:  # the machine is borrowed: what can be measured is
            traceback.print_exc()
            figures[name], good = {"error": f"{type(error).__name__}: {str(error)[:500]}"}, False
        figures["seconds"][name] = round(time.perf_counter() - start, 1)
        speeds = {str(count): figures.get(f"cohort of {count}", {}) for count in COHORTS}
        figures["cohorts"] = {count: speed.get("student_tokens_per_second") for count, speed in speeds.items()}
        write_json(path, figures)
        print(f"{name} ({figures['seconds'][name]} s): {json.dumps(figures[name])}", flush=True)
    return good


def before(setting: Setting, device: Device, steps: int) -> dict[str, Callable[[], Any]]:
    """The loops without packing: the plain one, two that `distill` has in between, and the library's."""
    chosen = [ladder(device)[number] for number in (0, 3, -1)]
    return {
        **{variant.name: partial(run_variant, setting, variant, device, steps) for variant in chosen},
        BEFORE: lambda: run_library(setting, device, steps, graphs=True)[0],
    }


def main() -> None:
    """Measure all, print the figures and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("book", type=Path)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--check", type=int, default=200)
    parser.add_argument("--profile", action="store_true")
    chosen = parser.parse_args()
    device = best_device()
    if device.kind.type != "cuda":
        parser.error("needs a GPU")
    sentences = pq.read_table(chosen.book, columns=["sentence"])["sentence"].to_pylist()[:SENTENCES]
    setting = make_setting(chosen.teacher, tokenize(load_tokenizer(chosen.teacher), sentences, None, LENGTH), device)
    figures: dict[str, Any] = {
        "device": torch.cuda.get_device_name(),
        "versions": {module.__name__: module.__version__ for module in (torch, transformers, triton)},
        "tokens_per_sentence": round(float(setting.tokens.lengths().mean()), 1),
        "seconds": {},
    }
    plan = Plan(chosen.steps, chosen.check, check_batch=32)
    work = {**sections(setting, mpnet_setting(setting), device, plan), **before(setting, device, chosen.steps // 3)}
    good = run_sections(work, figures, RESULTS / "distill-gpu.json")
    if chosen.profile:
        write_profile(setting, device, RESULTS / "distill-gpu-profile.txt")
    sys.exit(not good)


if __name__ == "__main__":
    main()
