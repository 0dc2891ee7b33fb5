"""`killed_augment.py TASK KILLS`: make an augmented textbook, here, and again in a child killed so often with SIGKILL.

The child is forked, so that it costs no imports; one thread, because threads don't survive a fork. A chunk is one
sentence or pair; each time that one is looked up a line is added to the file `calls`. The textbook of the run that
was not killed becomes `whole.parquet`.
"""

import os
import signal
import sys
import time
from pathlib import Path

import torch

import pipelines.augmented as stage
import textbook.textbooks.augmented as module
from textbook.params_file import load_params

torch.set_num_threads(1)
module.CHUNK = 1
TASK, KILLS = sys.argv[1], int(sys.argv[2])
PARAMS, FIND = load_params(), stage.find_slots


def find(sentences, **settings):
    with Path("calls").open("a") as file:
        file.write("call\n")
    return FIND(sentences, **settings)


def attempt(finished: int | None) -> None:
    """Run a child, killed as soon as so many chunks are finished if that is given."""
    pid = os.fork()
    if pid == 0:
        stage.augmented(PARAMS, TASK)
        os._exit(0)
    if finished is not None:
        while len(list(Path(".cache/augmented").glob("*/*/*.json"))) < finished:
            time.sleep(0.001)
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    assert status == (0 if finished is None else signal.SIGKILL), status


if __name__ == "__main__":
    stage.find_slots = find
    book = Path("data/textbooks", TASK, "augmented.parquet")
    attempt(None)
    book.rename("whole.parquet")
    for number in range(KILLS):
        attempt(5 * number + 1)
        assert not book.exists()
    attempt(None)
