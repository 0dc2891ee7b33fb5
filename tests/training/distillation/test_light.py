"""The engine and its benchmark run on a bare GPU machine, with only PyTorch, transformers and their dependencies."""

import subprocess
import sys
from pathlib import Path

HEAVY = {"ray", "mlflow", "dvc", "deepspeed", "great_expectations", "pydantic", "ruamel", "bm25s", "sentencex", "onnx"}
HEAVY |= {"numba"}
PROGRAM = "import sys, benchmarks.distill; print(*{name.partition('.')[0] for name in sys.modules})"


def test_the_engine_needs_no_more_than_pytorch_and_transformers():
    completed = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
    )
    modules = set(completed.stdout.split())
    assert {"torch", "transformers"} <= modules
    assert not modules & HEAVY
