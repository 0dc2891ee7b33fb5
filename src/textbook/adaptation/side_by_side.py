"""Seeds side by side on the CPU, each in a process of its own: a small model leaves a second core idle.

A step of a small student is too short to be divided well: two seeds on a core each take less time than one after the
other on both.
"""

import json
import os
import pickle
import selectors
import signal
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from subprocess import PIPE, Popen
from typing import Any

import pyarrow.parquet as pq
import torch
from tqdm import tqdm

from textbook.adaptation import worker
from textbook.adaptation.seed import SeedJob, adapt_with_seed, read_seed_data
from textbook.errors import UserError
from textbook.tasks.splits import TRAIN
from textbook.training.engine.checkpoints import TERMINATED
from textbook.training.engine.device import best_device
from textbook.training.engine.interrupt import sigterm_as_event

WORTH_TEXTS = 5000  # texts that a seed reads; with fewer, a process takes longer to start than it saves
POLL_SECONDS = 0.3


def run_seeds(jobs: Sequence[SeedJob]) -> None:
    """Adapt with every seed.

    On a GPU the seeds run one after the other. On the CPU, n seeds on c cores (as many as PyTorch has threads) get
    c // min(n, c) threads each. If there is enough work, min(n, c) of them run side by side, each in its own process.

    The threads decide in which order a matrix product adds its terms, and so the last bits of the weights. Seeds get
    the same number whether they run side by side or not, so a result is the same to the bit in both cases. It depends
    on the number of cores, and on that of seeds if there are more cores than one.

    Args:
        jobs: one for each seed; otherwise they differ only in their folders.

    Raises:
        UserError: as `adapt_with_seed`, or a process was killed.
        SystemExit: SIGTERM was received.
    """
    cores = torch.get_num_threads()
    processes = min(len(jobs), cores) if best_device().kind.type == "cpu" else 1
    jobs = [replace(job, threads=cores // processes) for job in jobs]
    if processes > 1 and _texts(jobs[0]) * jobs[0].settings.epochs >= WORTH_TEXTS:
        _run_side_by_side(jobs, processes)
        return
    with _threads(cores // processes):
        data = read_seed_data(jobs[0])
        for job in jobs:
            adapt_with_seed(job, data)


def _texts(job: SeedJob) -> int:
    return int(pq.read_metadata(job.data / f"{TRAIN}.parquet").num_rows)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Within the block, PyTorch has `count` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _run_side_by_side(jobs: Sequence[SeedJob], processes: int) -> None:
    """Run at most `processes` jobs at a time, under one progress bar. The first error ends all of them."""
    settings, waiting, children = jobs[0].settings, deque(jobs), list[_Child]()
    steps = settings.epochs * -(-_texts(jobs[0]) // settings.batch)
    label = f"{jobs[0].name}, seeds {', '.join(str(job.seed) for job in jobs)}"
    bar = tqdm(total=steps * len(jobs), desc=label, unit="step")
    with bar, sigterm_as_event() as terminated, selectors.DefaultSelector() as selector:
        try:
            while waiting or selector.get_map():
                while waiting and len(selector.get_map()) < processes:
                    children.append(_Child(waiting.popleft()))
                    selector.register(children[-1].events, selectors.EVENT_READ, children[-1])
                for key, _ in selector.select(POLL_SECONDS):
                    if not key.data.read_event(bar):
                        selector.unregister(key.fileobj)
                if terminated.is_set():
                    raise SystemExit(TERMINATED)
        finally:
            for child in children:
                child.end()


class _Child:
    """The process of a seed.

    It has a session of its own, so that Ctrl-C interrupts only this process, which ends the others. If this process is
    killed, a child ends with its next step, because nobody reads its events.
    """

    def __init__(self, job: SeedJob) -> None:
        self.job, self.step, self.error = job, 0, dict[str, Any]()
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        self.process = Popen(
            [sys.executable, "-P", "-m", worker.__name__],
            env={**os.environ, "PYTHONPATH": path},
            stdin=PIPE,
            stdout=PIPE,
            bufsize=0,  # so that the selector sees all that was not read yet
            start_new_session=True,
        )
        assert self.process.stdin
        assert self.process.stdout
        self.events = self.process.stdout
        with suppress(BrokenPipeError), self.process.stdin as file:  # `read_event` says why it ended
            file.write(pickle.dumps(job))

    def read_event(self, bar: "tqdm[Any]") -> bool:
        """Read an event, and move the progress bar. Returns whether there was one: False at the end.

        Raises:
            UserError: the process failed because of a mistake of the user, or was killed.
            OSError: as in the process.
            RuntimeError: the process failed otherwise; it has printed a traceback.
        """
        line = self.events.readline()
        if not line:
            self._check_end()
            return False
        event = json.loads(line)
        if "step" not in event:
            self.error = event
            return True
        if event["text"]:
            bar.set_postfix_str(f"seed {self.job.seed}: {event['text']}", refresh=False)
        bar.update(event["step"] - self.step)
        self.step = event["step"]
        return True

    def _check_end(self) -> None:
        code = self.process.wait()
        if "user" in self.error:
            raise UserError(self.error["user"])
        if "system" in self.error:
            raise OSError(*self.error["system"])
        if code < 0:
            name = signal.Signals(-code).name
            raise UserError(f"{self.job.label}: its process was killed ({name}); was it out of memory?")
        if code:
            raise RuntimeError(f"{self.job.label}: its process failed with exit code {code}")

    def end(self) -> None:
        """End the process if it is running."""
        self.process.kill()
        self.process.wait()
        self.events.close()
