"""`killed_augment.py TASK KILLS`: make an augmented textbook undisturbed, then again with KILLS kills by SIGKILL.

Each attempt is a forked child, which needs no imports. It has one thread, because threads don't survive a fork. A chunk
is one sentence or pair, and each lookup of a chunk adds a line to the file `calls`. The undisturbed textbook becomes
`whole.parquet`.
"""

import os
import signal
import sys
import time
from pathlib import Path

import torch

import pipelines.stages.augmented as stage
import textbook.textbooks.augmentation.variants as module
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
    """Run a child. If `finished` is given, kill the child as soon as that number of chunks is finished."""
    pid = os.fork()
    if pid == 0:
        stage.main(PARAMS, TASK)
        os._exit(0)
    if finished is not None:
        while len(list(Path(".cache/work").glob("augmented@*/*/*.json"))) < finished:
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
