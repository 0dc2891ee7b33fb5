"""`killed_children.py TEACHER FOLDER KILLS STUDENTS`: distil a cohort in child processes, of which some are killed.

`KILLS` of the children are killed at random moments.

Children are forked to save the imports, and use one thread because threads don't survive a fork. The last child is not
killed. Writes the final weights of student n to FOLDER/n.safetensors, and the number of children that were killed
before they were done to FOLDER/killed.
"""

import os
import random
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from toy_run import CPU, SETTINGS, toy_pair, toy_student, toy_tokens

import textbook.training.engine.checkpoints as checkpoints_module
from textbook.training.distillation.cohort import distill_cohort
from textbook.training.distillation.learner import Member

torch.set_num_threads(1)
checkpoints_module.CHECKPOINT_SECONDS = 0
TEACHER, FOLDER, KILLS, STUDENTS = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
TOKENS = toy_tokens(TEACHER)


def child() -> None:
    """Distil from the newest checkpoints to the end."""
    pair = toy_pair(TEACHER)
    members = [
        Member(
            replace(pair, student=toy_student(TEACHER)),
            SETTINGS.model_copy(update={"steps": 400, "seed": number}),
            checkpoints=FOLDER / f"checkpoints-{number}",
            log=lambda *_: time.sleep(0.05 / STUDENTS),  # on any machine it takes longer than the time until a kill
        )
        for number in range(STUDENTS)
    ]
    assert distill_cohort(members, TOKENS, devices=[CPU]) == [None] * STUDENTS
    for number, member in enumerate(members):
        save_file(member.pair.student.state_dict(), FOLDER / f"{number}.safetensors")


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
