"""CUDA graphs: a training step is recorded once for each batch shape and replayed afterwards.

A training step of a small student consists of about a thousand small kernels. If Python launches them one by one, the
GPU is idle most of the time; a replay launches all of them at once. A replay always reads and writes the same memory.
Batches therefore have few shapes (lengths are padded to a multiple, and the last batch of an epoch is filled up), each
batch is copied to the memory that the recorded step reads, and the learning rate is a tensor.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from textbook.training.distillation.relations import relation_loss
from textbook.training.engine.feed import Batch

MULTIPLE = 16  # padded lengths are a multiple of this many tokens
WARM = 2  # steps of each shape that run before one is recorded: they allocate memory, choose kernels and compile

Results = tuple[Tensor, Tensor]
Work = Callable[[], Results]


class Recorder(Protocol):
    """Runs and records steps."""

    def run(self, work: Work) -> Results:
        """Run the work in the place where it will be recorded, for example on the same CUDA stream."""

    def record(self, work: Work) -> tuple[Callable[[], None], Results]:
        """Record the work without running it.

        Returns:
            A function that replays the work, and the tensors that every replay writes its results to.
        """


@dataclass(frozen=True)
class Recorded:
    """A recorded step: the batch it reads, the function that replays it, and the tensors it writes its results to."""

    batch: Batch
    replay: Callable[[], None]
    results: Results


class RecordedSteps:
    """A step function that is recorded for each batch shape. Every call, run or replayed, is one step of training.

    Args:
        step: trains on a batch on the device and returns two tensors, such as the loss and the gradient norm.
        recorder: a `CudaRecorder`.
    """

    def __init__(self, step: Callable[[Batch], Results], recorder: Recorder) -> None:
        self.step, self.recorder = step, recorder
        self._counts: Counter[torch.Size] = Counter()
        self._recorded: dict[torch.Size, Recorded] = {}

    def __call__(self, batch: Batch) -> Results:
        """Train on a batch and return the results of `step`."""
        shape = batch.inputs["input_ids"].shape
        self._counts[shape] += 1
        if self._counts[shape] <= WARM:
            return self.recorder.run(lambda: self.step(batch))
        if shape not in self._recorded:
            static_batch = batch.copy()
            self._recorded[shape] = Recorded(static_batch, *self.recorder.record(lambda: self.step(static_batch)))
        recorded = self._recorded[shape]
        recorded.batch.overwrite(batch)
        recorded.replay()
        first, second = recorded.results
        return first.clone(), second.clone()  # the next replay overwrites them


class CudaRecorder:
    """Records CUDA graphs. They share one memory pool, because only one of them runs at a time."""

    def __init__(self) -> None:
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()

    def run(self, work: Work) -> Results:
        """Run the work on the stream on which it will be recorded."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            results = work()
        torch.cuda.current_stream().wait_stream(self._stream)
        return results

    def record(self, work: Work) -> tuple[Callable[[], None], Results]:
        """Capture the kernels of the work; the prefetching thread may pin memory during the capture."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode="thread_local"):
            results = work()
        return graph.replay, results


def compiled_relation_loss(backend: str = "inductor") -> Any:
    """`relation_loss` in fused kernels, compiled for each shape because dynamic shapes are slower."""
    torch._dynamo.config.recompile_limit = 64  # one compilation for each shape
    return torch.compile(relation_loss, dynamic=False, fullgraph=True, backend=backend)
