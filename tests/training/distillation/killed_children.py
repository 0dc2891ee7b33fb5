"""`killed_children.py TEACHER FOLDER KILLS`: distil in child processes; `KILLS` of them are killed at random moments.

Children are forked to save the imports, and use one thread because threads don't survive a fork. The last child is not
killed. Writes the final weights to FOLDER/student.safetensors, and the number of children that were killed before they
were done to FOLDER/killed.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from toy_run import CPU, SETTINGS, toy_pair, toy_tokens

import textbook.training.engine.checkpoints as checkpoints_module
from textbook.training.distillation.distill import distill

torch.set_num_threads(1)
checkpoints_module.CHECKPOINT_SECONDS = 0
TEACHER, FOLDER, KILLS = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
TOKENS = toy_tokens(TEACHER)


def child() -> None:
    """Distil from the newest checkpoint to the end."""
    pair = toy_pair(TEACHER)
    distill(
        pair,
        TOKENS,
        SETTINGS.model_copy(update={"steps": 400}),
        devices=[CPU],
        checkpoints=FOLDER / "checkpoints",
        log=lambda *_: time.sleep(0.05),  # on any machine the run takes longer than the time until a kill
    )
    save_file(pair.student.state_dict(), FOLDER / "student.safetensors")


def attempt(seconds: float | None) -> bool:
    """Run a child and kill it after some seconds, if they are given. Returns whether it was killed."""
    pid = os.fork()
    if pid == 0:
        child()
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
    return os.WIFSIGNALED(status)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    rng = random.Random(0)
    killed = sum(attempt(rng.uniform(0.02, 0.2)) for _ in range(KILLS))
    (FOLDER / "killed").write_text(str(killed))
    assert not attempt(None)
