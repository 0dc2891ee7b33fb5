"""One function on several processes that train together: on the devices of this machine, or on a Ray cluster.

Ray starts the processes, each with a GPU of its own, or with its share of the CPU's cores where there is no GPU. A
cluster, that of `RAY_ADDRESS`, has to see the project's folder at the same path on every machine.
"""

import os
import socket
from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from tqdm import tqdm

from textbook.errors import UserError
from textbook.parallel import start_ray

R = TypeVar("R")
Report = Callable[[int, str], None]
"""Told the steps done so far, and a few words on them."""

POLL_SECONDS = 0.3


def count_devices() -> tuple[int, str]:
    """How many processes there is room for, and what there is one of for each: `GPU`, or else `CPU core`."""
    if "RAY_ADDRESS" in os.environ:
        import ray

        start_ray()
        resources = ray.cluster_resources()  # type: ignore[no-untyped-call]
        gpus, cores = int(resources.get("GPU", 0)), int(resources.get("CPU", 1))
    else:
        gpus, cores = torch.cuda.device_count(), len(os.sched_getaffinity(0))
    return (gpus, "GPU") if gpus else (cores, "CPU core")


def resolve_processes(wanted: int | str, key: str) -> int:
    """The number of processes: for `auto` one for each GPU, and one where there is none.

    Raises:
        UserError: there are fewer devices than that.
    """
    count, kind = count_devices()
    if isinstance(wanted, str):
        return count if kind == "GPU" else 1
    if wanted > count:
        raise UserError(f"{key} = {wanted}: must be at most {count}, for so many {kind}s are there")
    return wanted


def run_processes(work: Callable[[Report], R], processes: int, label: str, steps: int) -> list[R]:
    """What `work` returns in each of the processes, by rank; in it, `torch.distributed` is ready.

    The first error of any process ends all. Processes meet at a port that is free, so that runs beside each other don't
    get into each other's way; on one machine nothing listens beyond it.

    Args:
        work: a function of a module, or a partial of one; it is given a `Report`, and that of rank 0 moves the bar.
        label: what the progress bar says.
        steps: how far the bar goes.
    """
    import ray
    from ray.util.placement_group import placement_group, remove_placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    start_ray()
    count, kind = count_devices()
    share = {"CPU": 1, "GPU": 1} if kind == "GPU" else {"CPU": max(1, count // processes)}
    group = placement_group([share] * processes)
    remote: Any = ray.remote
    actors: list[Any] = []
    try:
        ray.get(group.ready())
        for rank in range(processes):
            place = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=rank)
            actor = remote(
                num_cpus=share["CPU"],
                num_gpus=share.get("GPU", 0),
                max_concurrency=2,  # one thread works, the other says how far it is
                scheduling_strategy=place,
            )(Process)
            actors.append(actor.remote())
        meeting = ray.get(actors[0].listen.remote("RAY_ADDRESS" not in os.environ))
        shared = ray.put(work)
        ranks = {actor.run.remote(shared, rank, processes, meeting): rank for rank, actor in enumerate(actors)}
        results: dict[int, R] = {}
        with tqdm(total=steps, desc=label, unit="step") as bar:
            while len(results) < processes:
                done, _ = ray.wait([one for one, rank in ranks.items() if rank not in results], timeout=POLL_SECONDS)
                results |= {ranks[one]: ray.get(one) for one in done}
                step, text = ray.get(actors[0].progress.remote())
                bar.set_postfix_str(text, refresh=False)
                bar.update(step - bar.n)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None  # as it would be without Ray
    except ray.exceptions.RayActorError as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{label}: one of {processes} processes died ({reason}); was there memory enough?") from None
    finally:
        for actor in actors:
            ray.kill(actor)
        remove_placement_group(group)
    return [results[rank] for rank in range(processes)]


class Process:
    """One of the processes, as Ray knows it."""

    def __init__(self) -> None:
        self._progress = (0, "")
        self._store: Any = None

    def listen(self, alone: bool) -> tuple[str, int]:
        """Open the port where all processes meet, and say where; `alone`: nobody from another machine comes."""
        import ray

        host = "127.0.0.1" if alone else ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        listener = socket.create_server((host, 0))
        port = listener.getsockname()[1]
        self._store = dist.TCPStore(  # type: ignore[attr-defined]
            host, port, is_master=True, wait_for_workers=False, master_listen_fd=listener.detach()
        )
        return host, port

    def run(self, work: Callable[[Report], R], rank: int, processes: int, meeting: tuple[str, int]) -> R:
        """Work as the process of that rank."""
        host, port = meeting
        os.environ |= {"MASTER_ADDR": host, "MASTER_PORT": str(port), "RANK": str(rank), "WORLD_SIZE": str(processes)}
        os.environ["LOCAL_RANK"] = "0"  # Ray shows it one GPU
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
        """How far it is."""
        return self._progress

    def _report(self, step: int, text: str) -> None:
        self._progress = (step, text)
