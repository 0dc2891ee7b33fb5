"""The benchmark of the GPU runs at toy size on a CPU, and needs no package that a bare GPU machine lacks."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from toy_models import CONFIGS
from toy_run import CPU
from transformers import AutoConfig

from benchmarks import gpu_run
from benchmarks.distill_gpu import Plan, run_sections, sections
from benchmarks.setting import Setting
from conftest import make_sentences
from textbook.models.encoder import load_tokenizer
from textbook.training.engine.tokens import tokenize

ABSENT = ("pydantic", "numba", "deepspeed", "ray", "mlflow", "dvc", "great_expectations", "ruamel", "datasets")
PROGRAM = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1:]:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import benchmarks.distill_gpu
print("textbook.training.distillation.gpu_step" in sys.modules)
"""


def test_the_benchmark_needs_only_pytorch_triton_and_transformers():
    completed = subprocess.run(
        [sys.executable, "-c", PROGRAM, *ABSENT], capture_output=True, text=True, cwd=Path(__file__).parents[3]
    )
    assert completed.stdout == "True\n", completed.stderr[-2000:]


@pytest.mark.slow
def test_the_sections_run_at_toy_size(tiny_teacher, tmp_path, monkeypatch):
    """Those that differ in kind; the others differ in their number of students and in how they are compiled."""

    def toy_setting(family):
        config = AutoConfig.for_model(family, **{**CONFIGS[family], "num_attention_heads": 2, "initializer_range": 0.3})
        return Setting(config, 2, SimpleNamespace(layers=2, hidden=16, heads=2, intermediate=32), 2, 2, 1, tokens)

    tokens = tokenize(load_tokenizer(tiny_teacher), make_sentences(30, seed=0), None, 16)
    monkeypatch.setattr(gpu_run, "gpu_steps", partial(uncompiled, gpu_run.gpu_steps))
    every = sections(toy_setting("roberta"), toy_setting("mpnet"), CPU, Plan(steps=1, check=2, check_batch=2))
    assert {f"cohort of {count}" for count in (1, 2, 4, 8)} < set(every)
    work = {name: every[name] for name in ("cohort of 2", "check", "mpnet", "mpnet check", "deterministic")}
    figures, path = {"seconds": {}}, tmp_path / "figures.json"
    assert run_sections(work, figures, path)
    assert json.loads(path.read_text()) == figures
    assert figures["cohorts"]["2"] > 0
    assert [figures[name]["packed"] for name in ("cohort of 2", "mpnet")] == [True, False]
    assert figures["check"]["fp32"]["largest"] < 1e-4
    assert figures["check"]["bf16"]["largest"] < 0.05
    assert figures["mpnet check"]["largest"] < 1e-4
    assert figures["deterministic"]["deterministic"]["same_bits"]


def uncompiled(gpu_steps, *arguments, **options):
    """Inductor takes longer than the whole test."""
    return gpu_steps(*arguments, **{**options, "compile_for": "not", "multiple": 16})


def test_a_section_that_fails_leaves_the_others(tmp_path, capsys):
    def fail():
        raise RuntimeError("no such kernel")

    figures = {"seconds": {}}
    assert not run_sections({"first": fail, "second": lambda: 3}, figures, tmp_path / "figures.json")
    assert figures["first"] == {"error": "RuntimeError: no such kernel"}
    assert figures["second"] == 3
    assert not run_sections({"late": lambda: 3}, figures, tmp_path / "figures.json", limit=-1)
    assert figures["late"] == {"error": "TimeoutError: not started: -1 seconds are over"}
