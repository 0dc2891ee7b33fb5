"""Training steps that are recorded once for each shape of batch and replayed from then on, as CUDA graphs.

A small student's step is a thousand small kernels: launched one by one they keep the GPU waiting for Python. A replay
launches them all at once. It reads and writes the same memory each time, so batches come in few shapes (lengths are
padded to multiples, the last batch of an epoch is filled up) and are copied to where the recorded step reads them; the
learning rate is a tensor.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from textbook.training.feed import Batch
from textbook.training.relations import relation_loss

MULTIPLE = 16  # tokens to which lengths are padded
WARM = 2  # steps of each shape that run as they are before one is recorded: they allocate, choose kernels and compile

Results = tuple[Tensor, Tensor]
Work = Callable[[], Results]


class Recorder(Protocol):
    """How steps are run, recorded and replayed."""

    def run(self, work: Work) -> Results:
        """Do the work where it will be recorded."""

    def record(self, work: Work) -> tuple[Callable[[], None], Results]:
        """Record the work without doing it; what does it again, and where its results are then."""


@dataclass(frozen=True)
class Recorded:
    """A recorded step: where it reads its batch, what runs it, and where its results are."""

    batch: Batch
    replay: Callable[[], None]
    results: Results


class RecordedSteps:
    """A step function that records itself. Every call is one step of training, in whichever way it is done.

    Args:
        step: gives tensors such as the loss, for a batch on the device.
        recorder: a `CudaRecorder`.
    """

    def __init__(self, step: Callable[[Batch], Results], recorder: Recorder) -> None:
        self.step, self.recorder = step, recorder
        self._done: Counter[torch.Size] = Counter()
        self._recorded: dict[torch.Size, Recorded] = {}

    def __call__(self, batch: Batch) -> Results:
        """Train on a batch; what `step` gives."""
        shape = batch.inputs["input_ids"].shape
        self._done[shape] += 1
        if self._done[shape] <= WARM:
            return self.recorder.run(lambda: self.step(batch))
        if shape not in self._recorded:
            own = batch.copy()
            self._recorded[shape] = Recorded(own, *self.recorder.record(lambda: self.step(own)))
        recorded = self._recorded[shape]
        recorded.batch.overwrite(batch)
        recorded.replay()
        first, second = recorded.results
        return first.clone(), second.clone()  # the next replay overwrites them


class CudaRecorder:
    """Records CUDA graphs, which share their memory: only one of them runs at a time."""

    def __init__(self) -> None:
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()

    def run(self, work: Work) -> Results:
        """Do the work on the stream on which it will be recorded."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            results = work()
        torch.cuda.current_stream().wait_stream(self._stream)
        return results

    def record(self, work: Work) -> tuple[Callable[[], None], Results]:
        """Capture the work's kernels; the thread that feeds may pin memory meanwhile."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode="thread_local"):
            results = work()
        return graph.replay, results


def compiled_relation_loss(backend: str = "inductor") -> Any:
    """`relation_loss` in fused kernels, compiled anew for each shape: dynamic shapes made it slower."""
    torch._dynamo.config.recompile_limit = 64  # a shape counts as one
    return torch.compile(relation_loss, dynamic=False, fullgraph=True, backend=backend)
