"""Two machines on one: network namespaces joined by a cable, with a Ray node in each."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

RAY = Path(sys.executable).with_name("ray")
SECONDS = 60  # limit for starting a node
# How soon a machine that does not answer is given up. By default it takes Ray two minutes.
IMPATIENT = {
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "5000",
    "RAY_health_check_failure_threshold": "2",
    "RAY_grpc_client_keepalive_time_ms": "5000",
    "RAY_grpc_client_keepalive_timeout_ms": "5000",
}


@dataclass(frozen=True)
class Machine:
    """A network namespace and its address."""

    name: str
    address: str

    def command(self, *words: str | Path) -> list[str]:
        """A command that runs on this machine."""
        return ["ip", "netns", "exec", self.name, *map(str, words)]

    def processes(self) -> dict[int, str]:
        """The titles of its processes, by number."""
        found: dict[int, str] = {}
        try:
            network = os.stat(f"/run/netns/{self.name}").st_ino
        except FileNotFoundError:  # it was never made
            return {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # ended meanwhile
                if os.stat(folder / "ns" / "net").st_ino == network:
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().decode(errors="replace")
        return found

    def workers(self) -> list[int]:
        """The numbers of the processes that do a task of Ray just now."""
        return [number for number, title in self.processes().items() if title.startswith("ray::work_on")]

    def kill(self) -> None:
        """Kill all of its processes, as if it lost its power."""
        while numbers := self.processes():
            for number in numbers:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)

    def unplug(self) -> None:
        """Take its cable out, so that nobody learns that it is gone."""
        _ip("-n", self.name, "link", "set", "cable", "down")


@dataclass(frozen=True)
class Cluster:
    """A head and a worker of a Ray cluster, and what a process needs to join it from the head."""

    head: Machine
    worker: Machine
    environment: dict[str, str]


def can_have_machines() -> bool:
    """Whether this process may make network namespaces: it is root, and not in a container that forbids them."""
    name = f"probe{os.getpid()}"
    try:
        _ip("netns", "add", name)
        _ip("netns", "del", name)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


@contextmanager
def two_machines(folder: Path) -> Iterator[Cluster]:
    """Start a Ray cluster of two machines with a core each, which ask for a token.

    Args:
        folder: for the sockets and logs of Ray; its path is short.
    """
    number = os.getpid()
    block = f"10.{200 + number % 50}.{number // 50 % 250}"  # tests run side by side
    head, worker = (Machine(f"{role}{number}", f"{block}.{n}") for n, role in enumerate(("head", "worker"), 1))
    own = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment = {**own, **IMPATIENT, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    try:
        for machine in (head, worker):
            _ip("netns", "add", machine.name)
            _ip("-n", machine.name, "link", "set", "lo", "up")
        _ip("link", "add", "cable", "netns", head.name, "type", "veth", "peer", "name", "cable", "netns", worker.name)
        for machine in (head, worker):
            _ip("-n", machine.name, "addr", "add", f"{machine.address}/24", "dev", "cable")
            _ip("-n", machine.name, "link", "set", "cable", "up")
        sizes = ["--num-cpus=1", "--num-gpus=0", "--object-store-memory=100000000", "--disable-usage-stats"]
        roles = {
            head: ["--head", "--port=6379", "--include-dashboard=false", f"--temp-dir={folder}"],
            worker: [f"--address={head.address}:6379"],
        }
        for machine, role in roles.items():
            start = machine.command(RAY, "start", f"--node-ip-address={machine.address}", *role, *sizes)
            subprocess.run(start, env=environment, check=True, capture_output=True, timeout=SECONDS)
        yield Cluster(head, worker, {**environment, "RAY_ADDRESS": f"{head.address}:6379"})
    finally:
        for machine in (head, worker):
            machine.kill()
            subprocess.run(["ip", "netns", "del", machine.name], capture_output=True)


def wait_for_worker(machine: Machine) -> int:
    """The number of a process that does a task of Ray on a machine, as soon as there is one."""
    limit = time.monotonic() + SECONDS
    while not (workers := machine.workers()):
        assert time.monotonic() < limit, f"no task among {[*machine.processes().values()]}"
        time.sleep(0.01)
    return workers[0]


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
