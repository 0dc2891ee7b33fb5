"""The fast step of distillation on one GPU: its speed, its memory, and that it trains as the plain loop does.

    PYTHONPATH=src python -m benchmarks.distill_gpu BOOK --teacher FOLDER [--steps 60] [--check 200] [--profile]

In the paper's setting: a teacher of RoBERTa-large's shape read at layer 19, a student of 6 layers of 384, 64 relation
heads, batches of 256 sentences. Weights are random; the tokenizer is read from the teacher's folder and the sentences
from the column `sentence` of BOOK. Takes less than 8 minutes on an H100. It needs only PyTorch with Triton,
transformers, pyarrow and what these bring. On a CPU, `TRITON_INTERPRET=1` runs it, slowly, for tests.

Writes `benchmarks/results/distill-gpu.json` after each measurement. Speeds are in tokens without padding:

- `cohorts`: student tokens/s of 1, 2, 4 and 8 students that share a teacher pass. `cohort of N` has more: the share of
  the GPU's peak, `ready_seconds` until every number of tokens is compiled and recorded, `longest_step_seconds` after
  that, and the peak memory;
- `check`: differences from the losses of the plain loop in fp32 over `--check` steps of 32 sentences, largest and mean,
  without dropout in fp32 and bf16; with dropout, that of the mean loss of the second half, beside the difference of two
  seeds of the plain loop;
- `mpnet`, `mpnet, cohort of 4` and `mpnet check`: the same for a teacher of MPNet-base's shape, which runs padded;
- `deterministic`: whether two runs give the same bits, as they are and with deterministic algorithms;
- the ladder of one student: the plain loop, the library's loop so far, and the packed step's optimisations in turn.
"""

import argparse
import json
import os
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

from benchmarks.distill import LENGTH, RESULTS, SENTENCES, ladder, run_library, run_variant
from benchmarks.gpu_checks import check, check_determinism, check_padded
from benchmarks.gpu_run import measure_cohort, write_profile
from benchmarks.setting import Setting, make_setting
from textbook.files import write_json
from textbook.models.encoder import load_tokenizer
from textbook.training.engine.device import Device, best_device
from textbook.training.engine.tokens import tokenize

COHORTS = (1, 2, 4, 8)
LIMIT = 400  # seconds after which no measurement is started, so that all ends within 8 minutes
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


def before(setting: Setting, device: Device, steps: int) -> dict[str, Callable[[], Any]]:
    """The loops without packing: the plain one, the one that stops at the layer that is read, and the library's."""
    chosen = [ladder(device)[number] for number in (0, 3)]
    return {
        **{variant.name: partial(run_variant, setting, variant, device, steps) for variant in chosen},
        BEFORE: lambda: run_library(setting, device, steps, graphs=True)[0],
    }


def sections(setting: Setting, mpnet: Setting, device: Device, plan: Plan) -> dict[str, Callable[[], Any]]:
    """The measurements by their name in the results, most important first."""
    cohort = partial(measure_cohort, setting, device, plan.steps)
    loops: dict[str, dict[str, Any]] = {
        "packed, own kernels for attention and loss": {"compile_for": "not", "record": False},
        "+ a CUDA graph per number of tokens": {"compile_for": "not"},
        "+ layers compiled once (as the cohort of 1)": {},
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
        **before(setting, device, plan.steps // 3),
        "layers compiled for each number of tokens": partial(cohort, 1, compile_for="each"),
    }


def run_sections(work: dict[str, Callable[[], Any]], figures: dict[str, Any], path: Path, limit: float = LIMIT) -> bool:
    """Run the measurements and write the figures after each. One that fails is written as such, and the rest runs.

    Args:
        limit: seconds after which no measurement is started.

    Returns:
        Whether all succeeded.
    """
    good, begin = True, time.perf_counter()
    for name, section in work.items():
        start = time.perf_counter()
        try:
            if start - begin > limit:
                raise TimeoutError(f"not started: {limit:g} seconds are over")
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


def main() -> None:
    """Measure all, print the figures and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("book", type=Path)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--check", type=int, default=200)
    parser.add_argument("--profile", action="store_true")
    chosen = parser.parse_args()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before the first product, for `deterministic`
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
    good = run_sections(sections(setting, mpnet_setting(setting), device, plan), figures, RESULTS / "distill-gpu.json")
    if chosen.profile:
        write_profile(setting, device, RESULTS / "distill-gpu-profile.txt")
    sys.exit(not good)


if __name__ == "__main__":
    main()
