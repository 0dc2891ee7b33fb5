"""Apply a function to many items in parallel, on the cores of this machine or on the Ray cluster at `RAY_ADDRESS`.

Every machine of the cluster must have the project's folder at the same path.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from tqdm import tqdm

from textbook.errors import UserError, first_line
from textbook.ray_start import cluster_address, ray_resources, start_ray

T = TypeVar("T")
R = TypeVar("R")

WORTH_BYTES = 64 << 20  # input size below which Ray takes longer to start than one core takes for the work
TASKS_PER_CORE = 2  # one that runs and one that waits, so that no core waits for this process


def run_all(work: Callable[[T], R], items: Sequence[T], label: str, size: int) -> list[R]:
    """Apply `work` to all items and return the results in the order of the items; see `run_each`."""
    results = dict(run_each(work, items, label, size))
    return [results[index] for index in range(len(items))]


def run_each(work: Callable[[T], R], items: Sequence[T], label: str, size: int) -> Iterator[tuple[int, R]]:
    """Apply `work` to all items and yield each result when it is done, with the index of its item.

    The first error is raised; items that have been started may still be processed. A killed worker is restarted; if it
    is killed again and again, a UserError says so.
    Without a cluster, the work runs in this process if starting Ray would take longer: for a single item, for little
    input, or on a single core.

    Args:
        work: a module-level function, or a partial of one. On a cluster, large results that wait to be taken are in
            Ray's object store, which spills them to disk.
        items: the arguments of the calls.
        label: label of the progress bar.
        size: approximate input size of all items together, in bytes.
    """
    with tqdm(total=len(items), desc=label, unit="shard", disable=None if len(items) > 1 else True) as bar:
        worthwhile = size >= WORTH_BYTES and len(os.sched_getaffinity(0)) > 1
        with_ray = len(items) > 1 and (worthwhile or cluster_address())
        results = _run_with_ray(work, items, label) if with_ray else enumerate(map(work, items))
        for index, result in results:
            bar.update()
            yield index, result


def _run_with_ray(work: Callable[[T], R], items: Sequence[T], label: str) -> Iterator[tuple[int, R]]:
    os.environ["RAY_IGNORE_UNHANDLED_ERRORS"] = "1"  # one error is raised; Ray would print the others as tracebacks
    start_ray()
    import ray

    task: Any = ray.remote(work_on)
    shared = ray.put(work)
    left = iter(enumerate(items))
    indices: dict[Any, int] = {}
    try:
        while True:
            # Few at a time: after an error nothing must be cancelled. `ray.cancel` can end this process if the task is
            # just done ("Tried to complete task that was not pending", seen with Ray 2.60).
            cores = max(1, int(ray_resources().get("CPU", 1)))  # a cluster may grow and shrink
            room = TASKS_PER_CORE * cores - len(indices)
            indices |= {task.remote(shared, item): index for index, item in islice(left, max(room, 0))}
            if not indices:
                break
            (done,), _ = ray.wait(list(indices))
            yield indices[done], ray.get(done)
            del indices[done]  # so that Ray can forget the result
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None  # the same exception as without Ray
    except ray.exceptions.RayError as error:
        raise UserError(
            f"{label}: Ray lost a process or a machine ({first_line(error)}); was it out of memory?"
        ) from None


def work_on(work: Callable[[T], R], item: T) -> R:
    """Process one item; the function of the Ray task."""
    return work(item)
