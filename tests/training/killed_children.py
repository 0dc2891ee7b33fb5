"""`killed_children.py TEACHER FOLDER KILLS`: distil in a child that is killed with SIGKILL so often, at random moments.

The child is forked, so that it costs no imports; one thread, because threads don't survive a fork. Writes the final
weights to FOLDER/student.safetensors, and to FOLDER/killed how often a child died before it was done.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

import textbook.training.distill as module
from conftest import make_sentences
from textbook.models.encoder import load_config, load_encoder, load_tokenizer
from textbook.models.student import Shape, make_student
from textbook.training.device import Device
from textbook.training.tokens import tokenize

torch.set_num_threads(1)
module.CHECKPOINT_SECONDS = 0
TEACHER, FOLDER, KILLS = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
TOKENIZER = load_tokenizer(TEACHER)
TOKENS = tokenize(TOKENIZER, make_sentences(200, seed=0), None, 32)
SETTINGS = module.Settings(relation_heads=4, steps=400, batch=16, lr=5e-3, warmup=0.1, weight_decay=0.01, seed=0)


def child() -> None:
    """One attempt at the whole run."""
    student = make_student(Shape(layers=2, hidden=16, heads=4, intermediate=32), load_config(TEACHER), seed=0)
    module.distill(
        load_encoder(TEACHER),
        student,
        TOKENS,
        SETTINGS,
        teacher_layer=2,
        student_layer=2,
        pad_id=TOKENIZER.pad_token_id,
        devices=[Device(torch.device("cpu"), bf16=False)],
        checkpoints=FOLDER / "checkpoints",
        log=lambda *_: time.sleep(0.05),  # on any machine the run outlasts all its kills
    )
    save_file(student.state_dict(), FOLDER / "student.safetensors")


def attempt(seconds: float | None) -> bool:
    """Run a child, killed after some seconds if they are given; whether it was killed."""
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
    chance = random.Random(0)
    killed = sum(attempt(chance.uniform(0.02, 0.2)) for _ in range(KILLS))
    (FOLDER / "killed").write_text(str(killed))
    assert not attempt(None)
