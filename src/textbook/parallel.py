"""One function on many items side by side: on the cores of this machine, or on the Ray cluster of `RAY_ADDRESS`.

A cluster has to see the project's folder at the same path on every machine.
"""

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")
R = TypeVar("R")

WORTH_BYTES = 64 << 20  # of input; for less, Ray takes longer to start than one core to be done
STORE_BYTES = 100 << 20  # items and results are names and counts


def run_all(work: Callable[[T], R], items: Sequence[T], label: str, size: int) -> list[R]:
    """The results of `work` on all items, in the order of the items.

    The first error ends it, though work that has begun may still be finished. A worker that was killed is started
    again. Without a cluster, what is not worth the seconds that Ray takes to start runs in this process: a single item,
    little input, or everything if there is but one core.

    Args:
        work: a function of a module, or a partial of one, whose result is small.
        items: what it is called with, one after the other.
        label: what the progress bar says.
        size: bytes of input to all items together, roughly.
    """
    with tqdm(total=len(items), desc=label, unit="shard", disable=None if len(items) > 1 else True) as bar:
        worth = size >= WORTH_BYTES and len(os.sched_getaffinity(0)) > 1
        if len(items) > 1 and (worth or "RAY_ADDRESS" in os.environ):
            return _run_with_ray(work, items, bar)
        results = []
        for item in items:
            results.append(work(item))
            bar.update()
        return results


def start_ray() -> None:
    """Connect to the cluster of `RAY_ADDRESS`, or start a local one over the cores (and GPUs) of this machine."""
    import ray

    if not ray.is_initialized():
        settings: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
        if "RAY_ADDRESS" not in os.environ:  # Ray connects to that by itself, and starts its own workers otherwise
            settings |= {
                "address": "local",  # not that of somebody else who works on this machine
                "num_cpus": len(os.sched_getaffinity(0)),
                "object_store_memory": STORE_BYTES,
                "include_dashboard": False,
            }
        ray.init(**settings)


def _run_with_ray(work: Callable[[T], R], items: Sequence[T], bar: Any) -> list[R]:
    import ray

    start_ray()
    task: Any = ray.remote(work_on)
    shared = ray.put(work)
    places = {task.remote(shared, item): place for place, item in enumerate(items)}
    results: dict[int, R] = {}
    waiting = list(places)
    try:
        while waiting:
            (done,), waiting = ray.wait(waiting)
            results[places[done]] = ray.get(done)
            bar.update()
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None  # as it would be without Ray
    finally:
        for reference in waiting:
            ray.cancel(reference)
    return [results[place] for place in range(len(items))]


def work_on(work: Callable[[T], R], item: T) -> R:
    """The task that Ray knows."""
    return work(item)
