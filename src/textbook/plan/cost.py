"""The cost of a stage or a cell, and what all of them have in common.

Seconds of text and of starting are those of a core of pace 1; see `Rates`. They were measured with the shipped example
on two cores, and its textbook work also on 445 MB and the 66,978 anchors of SST-2.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from textbook.params import Params
from textbook.plan.rates import Rates
from textbook.plan.sizes import Facts, Shape, shape_of
from textbook.plan.training import BASE_MEMORY, GPU_BASE, Training, student_shape

# Seconds of a stage besides its work: Python, its imports, and what DVC does before and after it.
LIGHT, TEXT, CHECKED, TORCH = 1.5, 5.0, 6.0, 8.0
TOKENIZE = 5e-5  # seconds of one core for a text
CPU_CORE = 1e11  # FLOP/s of a core beside a GPU, assumed


@dataclass(frozen=True)
class Cost:
    """What a stage or a cell takes."""

    seconds: float
    disk: float = 0.0
    """Bytes that it leaves."""
    scratch: float = 0.0
    """Bytes on disk that it needs only while it runs."""
    memory: float = 0.0
    """Bytes of memory at its peak."""
    gpu_memory: float = 0.0
    """Bytes of a GPU's memory at its peak."""
    gpu_seconds: float = 0.0


@dataclass(frozen=True)
class Project:
    """What all estimates start from."""

    params: Params
    facts: Facts
    rates: Rates

    def seconds(self, start: float, text: float = 0.0, *work: Training) -> float:
        """Seconds of a stage: its start, seconds of text on one core of pace 1, and training."""
        return (start + text) / self.rates.pace + sum(part.seconds(self.rates) for part in work)

    @property
    def on_cpu(self) -> Rates:
        """The rates for what runs on the CPU; beside a GPU they are not measured."""
        rates = self.rates
        return replace(rates, gpus=0, flops=CPU_CORE * rates.cores) if rates.gpus else rates

    @property
    def teacher(self) -> Shape:
        """The shape of the teacher.

        Raises:
            Unknown: it is not known.
        """
        return shape_of(self.facts, self.params.teacher.asset)

    @property
    def student(self) -> Shape:
        """The shape of the student; see `teacher`."""
        return student_shape(self.params.student, self.teacher.vocab_size)

    def is_pair(self, task: str) -> bool:
        """Whether a task is over pairs."""
        return len(self.params.task(task).text) == 2

    def trained(self, cost: Cost, work: Training, training: float, *, processes: int = 1) -> Cost:
        """The cost of a stage that trains, with memory where it is needed.

        Args:
            work: what the GPU does, if there is one.
            training: bytes of memory of one training process besides its base.
        """
        if not self.rates.gpus:
            return replace(cost, memory=processes * (BASE_MEMORY + training))
        gpu_seconds = work.seconds(self.rates)
        return replace(cost, memory=BASE_MEMORY, gpu_memory=GPU_BASE + training, gpu_seconds=gpu_seconds)


StageCost = Callable[[Project, str], Cost]
"""The cost of a stage for an item of it; it raises `Unknown` where a size is not known."""


def total(costs: Iterable[Cost]) -> Cost:
    """The cost of all, one after the other: the sums, and the largest of what is needed only for a time."""
    parts = list(costs)
    return Cost(
        seconds=sum(part.seconds for part in parts),
        disk=sum(part.disk for part in parts),
        scratch=max((part.scratch for part in parts), default=0.0),
        memory=max((part.memory for part in parts), default=0.0),
        gpu_memory=max((part.gpu_memory for part in parts), default=0.0),
        gpu_seconds=sum(part.gpu_seconds for part in parts),
    )
