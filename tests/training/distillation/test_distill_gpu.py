"""The benchmark of the GPU runs at toy size on a CPU, and needs no package that a bare GPU machine lacks."""

import json
import subprocess
import sys
from pathlib import Path

from toy_models import CONFIGS
from toy_run import CPU, SHAPE, toy_tokens
from transformers import AutoConfig

from benchmarks import gpu_run
from benchmarks.distill import Setting
from benchmarks.distill_gpu import Plan, run_sections, sections

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


def test_all_sections_run_at_toy_size(tiny_teacher, tmp_path, monkeypatch):
    def toy_setting(family):
        config = AutoConfig.for_model(family, **{**CONFIGS[family], "vocab_size": 100})
        return Setting(config, 2, SHAPE, 4, 3, 1, toy_tokens(tiny_teacher, 30))

    monkeypatch.setattr(gpu_run, "gpu_steps", uncompiled(gpu_run.gpu_steps))
    work = sections(toy_setting("roberta"), toy_setting("mpnet"), CPU, Plan(steps=1, check=4, check_batch=3))
    figures = {"seconds": {}}
    path = tmp_path / "figures.json"
    assert run_sections(work, figures, path)
    assert json.loads(path.read_text()) == figures
    assert set(figures["cohorts"]) == {"1", "2", "4", "8"}
    assert all(speed > 0 for speed in figures["cohorts"].values())
    assert [figures[name]["packed"] for name in ("cohort of 1", "mpnet")] == [True, False]
    assert figures["check"]["fp32"]["largest"] < 1e-4
    assert figures["check"]["bf16"]["largest"] < 0.02
    assert figures["mpnet check"]["largest"] < 1e-4
    assert figures["deterministic"]["deterministic"]["same_bits"]


def uncompiled(gpu_steps):
    """Inductor takes longer than the whole test."""
    return lambda *arguments, **options: gpu_steps(*arguments, **{**options, "compile_for": "not"})


def test_a_section_that_fails_leaves_the_others(tmp_path, capsys):
    def fail():
        raise RuntimeError("no such kernel")

    figures = {"seconds": {}}
    assert not run_sections({"first": fail, "second": lambda: 3}, figures, tmp_path / "figures.json")
    assert figures["first"] == {"error": "RuntimeError: no such kernel"}
    assert figures["second"] == 3
