"""Start Ray on this machine, or connect to the cluster at `RAY_ADDRESS`.

A local Ray is private: it listens on the loopback interface only, asks for a token that is made for each run, and keeps
its sockets and logs in a folder of its own, which is removed at exit. A cluster asks for the token that its machines
share: see `cluster/README.md`.
"""

import atexit
import logging
import os
import secrets
import shutil
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from textbook.errors import UserError, first_line

ADDRESS = "RAY_ADDRESS"
STORE_BYTES = 100 << 20  # small, because items and results are only names and counts
CONNECT_SECONDS = 5  # time limit for opening a connection; Ray itself would try for more than a minute
SOCKET_BYTES = 107  # the longest path of a Unix socket
SESSION = "/r/session_2026-01-01_00-00-00_000000_1234567/sockets/plasma_store.0"  # the longest path that Ray appends


def cluster_address() -> str:
    """The address of the Ray cluster to use; empty if Ray runs on this machine only."""
    address = os.environ.get(ADDRESS, "").strip()
    return "" if address == "local" else address


def start_ray() -> None:
    """Connect to the Ray cluster at `RAY_ADDRESS`, or start a local one on the cores and GPUs of this machine.

    Call it before `import ray`, which reads some of the settings below.

    Raises:
        UserError: the cluster cannot be reached or refuses the token, or the local one does not start.
    """
    if "ray" in sys.modules and sys.modules["ray"].is_initialized():
        return
    address = cluster_address()
    settings = {"address": address} if address else _local_settings()
    if address:
        _open_connection(address)
    import ray
    from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]  # compiled

    AuthenticationTokenLoader.instance().reset_cache()  # else a second Ray in this process uses the token of the first
    try:
        ray.init(logging_level=logging.ERROR, log_to_driver=False, **settings)
    except (OSError, RuntimeError, ValueError, AssertionError, ray.exceptions.RayError) as error:
        raise UserError(_message(address, error)) from None


def ray_resources() -> dict[str, float]:
    """What Ray has on all of its machines, by name, such as `CPU` and `GPU`."""
    import ray

    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray has no types for it
    return resources


def _local_settings() -> dict[str, Any]:
    """The arguments of `ray.init` for a local Ray, whose environment is set here."""
    # Ray's own switch, by default off on Linux only: without clusters, it binds to 127.0.0.1.
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    # In the environment a token is readable by this user only, and no home folder is needed. Without a mode, Ray turns
    # tokens on by itself.
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    os.environ.pop("RAY_AUTH_MODE", None)
    return {
        "address": "local",  # never join a cluster that another user runs on this machine
        "num_cpus": len(os.sched_getaffinity(0)),
        "object_store_memory": STORE_BYTES,
        "include_dashboard": False,
        "_temp_dir": str(_session_folder()),
    }


def _session_folder() -> Path:
    """A new folder, removed at exit, whose path is short enough for Ray's sockets.

    Raises:
        UserError: no folder for temporary files is short enough and can be written.
    """
    parents = [os.environ.get("RAY_TMPDIR"), tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm"]
    for parent in filter(None, parents):
        if len(os.fsencode(f"{parent}/ray-12345678{SESSION}")) > SOCKET_BYTES:
            continue
        with suppress(OSError):
            folder = Path(tempfile.mkdtemp(prefix="ray-", dir=parent))
            atexit.register(_remove, folder, os.getpid())  # runs after `ray.shutdown`, which Ray registers later
            return folder / "r"  # Ray opens its own folder to all users, but not the one around it
    longest = SOCKET_BYTES - len(f"/ray-12345678{SESSION}")
    raise UserError(
        f"RAY_TMPDIR, TMPDIR, /tmp: Ray needs a folder that can be written, with a path of at most {longest} characters"
    )


def _remove(folder: Path, owner: int) -> None:
    """Remove the folder of a local Ray, unless this is a fork of the process that started it."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _open_connection(address: str) -> None:
    """Fail immediately if nothing listens at the address of a cluster.

    Raises:
        UserError: it is not HOST:PORT, or nothing listens there.
    """
    if address == "auto":  # Ray looks for the cluster of this machine
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise UserError(f"{ADDRESS} = {address}: must be the HOST:PORT of a Ray cluster")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UserError(
            f"{ADDRESS} = {address}: no Ray cluster answers ({error}); start the cluster, or unset the variable"
        ) from None


def _message(address: str, error: Exception) -> str:
    """One line on a Ray that did not start."""
    reason = first_line(error)
    if not address:
        return f"Ray did not start on this machine: {reason}"
    return (
        f"{ADDRESS} = {address}: cannot join the Ray cluster ({reason.split('. ')[0]}); if it asks for a token, set"
        " RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH to the file with the token"
    )
