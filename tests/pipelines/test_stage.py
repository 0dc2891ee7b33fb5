"""How a stage ends."""

import resource
import subprocess
import sys

SAVE = """
import sys
import torch
from safetensors.torch import save_file
from pipelines.stage import run
run(lambda _, path: save_file({"weight": torch.zeros(10_000)}, path))
"""


def full_disk():
    """No file of this process may grow beyond so many bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, resource.RLIM_INFINITY))


def test_a_disk_that_is_full_while_weights_are_written_is_one_line(tmp_path):
    command = [sys.executable, "-c", SAVE, str(tmp_path / "model.safetensors")]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=full_disk)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("error: ")
    assert "make room and run it again" in done.stderr
