"""The engine and its benchmark run on a bare GPU machine: nothing but PyTorch, transformers and what they bring."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in %r:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import benchmarks.distill
"""
HEAVY = {"ray", "mlflow", "dvc", "deepspeed", "great_expectations", "pydantic", "ruamel", "bm25s", "sentencex", "onnx"}


def test_the_engine_needs_no_more_than_pytorch_and_transformers():
    command = [sys.executable, "-c", PROGRAM % HEAVY]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr[-2000:]
