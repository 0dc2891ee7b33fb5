"""Run one function in several processes that train together, on this machine or on the Ray cluster of `RAY_ADDRESS`.

Ray starts the processes. Each gets its own GPU, or an equal share of the CPU cores if there is no GPU. In a cluster,
every machine must see the project's folder at the same path.
"""

import os
import socket
from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from tqdm import tqdm

from textbook.errors import UserError, first_line
from textbook.ray_start import cluster_address, ray_resources, start_ray

R = TypeVar("R")
Report = Callable[[int, str], None]
"""Called with the number of steps done and a short text for the progress bar."""

POLL_SECONDS = 0.3


def count_devices() -> tuple[int, str]:
    """The number of devices, and their kind: `GPU`, or `CPU core` if there is no GPU."""
    if cluster_address():
        start_ray()
        resources = ray_resources()
        gpus, cores = int(resources.get("GPU", 0)), int(resources.get("CPU", 1))
    else:
        gpus, cores = torch.cuda.device_count(), len(os.sched_getaffinity(0))
    return (gpus, "GPU") if gpus else (cores, "CPU core")


def resolve_processes(wanted: int | str, key: str) -> int:
    """The number of processes: `auto` is one for each GPU, or one process if there is no GPU.

    Raises:
        UserError: there are fewer devices than `wanted`.
    """
    count, kind = count_devices()
    if isinstance(wanted, str):
        return count if kind == "GPU" else 1
    if wanted > count:
        raise UserError(f"{key} = {wanted}: must be at most {count}, the number of {kind}s")
    return wanted


def run_processes(work: Callable[[Report], R], processes: int, label: str, steps: int) -> list[R]:
    """Run `work` in several processes and return the results by rank.

    `work` runs inside an initialised process group of `torch.distributed`. The first error of any process ends all of
    them. The processes connect through a free port, so concurrent runs do not collide. On a single machine the port is
    open on the loopback interface only.

    Args:
        work: a module-level function, or a partial of one. It is called with a `Report`; the reports of rank 0 move the
            progress bar.
        label: the label of the progress bar.
        steps: the length of the progress bar.

    Raises:
        UserError: a process died; other exceptions of `work` are raised as they are.
    """
    start_ray()
    import ray
    from ray.util.placement_group import placement_group, remove_placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    count, kind = count_devices()
    resources = {"CPU": 1, "GPU": 1} if kind == "GPU" else {"CPU": max(1, count // processes)}
    group = placement_group([resources] * processes)
    remote: Any = ray.remote
    actors: list[Any] = []
    try:
        ray.get(group.ready())
        for rank in range(processes):
            strategy = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=rank)
            actor = remote(
                num_cpus=resources["CPU"],
                num_gpus=resources.get("GPU", 0),
                max_concurrency=2,  # one thread runs `work`, the other answers `progress`
                scheduling_strategy=strategy,
            )(Process)
            actors.append(actor.remote())
        address = ray.get(actors[0].listen.remote(not cluster_address()))
        shared = ray.put(work)
        ranks = {actor.run.remote(shared, rank, processes, address): rank for rank, actor in enumerate(actors)}
        results: dict[int, R] = {}
        with tqdm(total=steps, desc=label, unit="step") as bar:
            while len(results) < processes:
                pending = [reference for reference, rank in ranks.items() if rank not in results]
                done, _ = ray.wait(pending, timeout=POLL_SECONDS)
                results |= {ranks[reference]: ray.get(reference) for reference in done}
                step, text = ray.get(actors[0].progress.remote())
                bar.set_postfix_str(text, refresh=False)
                bar.update(step - bar.n)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None  # the same error as without Ray
    except ray.exceptions.RayActorError as error:
        raise UserError(
            f"{label}: one of {processes} processes died ({first_line(error)}); was it out of memory?"
        ) from None
    finally:
        for actor in actors:
            ray.kill(actor)
        remove_placement_group(group)
    return [results[rank] for rank in range(processes)]


class Process:
    """The Ray actor of one process."""

    def __init__(self) -> None:
        self._progress = (0, "")
        self._store: Any = None

    def listen(self, alone: bool) -> tuple[str, int]:
        """Open a port for all processes and return its address; `alone`: only processes of this machine connect."""
        import ray

        host = "127.0.0.1" if alone else ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        listener = socket.create_server((host, 0))
        port = listener.getsockname()[1]
        self._store = dist.TCPStore(  # type: ignore[attr-defined]
            host, port, is_master=True, wait_for_workers=False, master_listen_fd=listener.detach()
        )
        return host, port

    def run(self, work: Callable[[Report], R], rank: int, processes: int, address: tuple[str, int]) -> R:
        """Join the process group as the process of this rank, and run `work`."""
        host, port = address
        os.environ |= {"MASTER_ADDR": host, "MASTER_PORT": str(port), "RANK": str(rank), "WORLD_SIZE": str(processes)}
        os.environ["LOCAL_RANK"] = "0"  # Ray makes a single GPU visible
        if host == "127.0.0.1":
            for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
                os.environ.setdefault(name, "lo")
        backend = "nccl" if torch.cuda.is_available() else "gloo"
        store = self._store or dist.TCPStore(host, port, is_master=False)  # type: ignore[attr-defined]
        dist.init_process_group(backend, store=store, rank=rank, world_size=processes)
        try:
            return work(self._report)
        finally:
            dist.destroy_process_group()

    def progress(self) -> tuple[int, str]:
        """The steps done and the text of the last report."""
        return self._progress

    def _report(self, step: int, text: str) -> None:
        self._progress = (step, text)
