"""The MLflow server over the local store, which listens on this machine only."""

import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from textbook.errors import UserError
from tracking.address import URI, bypass_proxies, tracking_uri
from tracking.store import connect, experiment_id, local_artifacts, local_database, local_store
from tracking.view import share_view

HOST = "127.0.0.1"
START_SECONDS = 120
SERVER_SETTINGS = {
    # A request takes up to three connections, one after the other. MLflow's default pool has 15, so many concurrent
    # writers would wait for each other until they time out.
    "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "20",
    "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "200",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # seven processes for jobs that nothing here submits
}


def server_command(port: int, store: str, artifacts: str) -> list[str]:
    """The command of an MLflow server that doesn't serve artefacts: its clients access the artefact store directly."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    return [*command, "--backend-store-uri", store, "--default-artifact-root", artifacts, "--no-serve-artifacts"]


@contextmanager
def serving() -> Iterator[Callable[[], str]]:
    """Provide a tracking server for concurrent writers: that of `MLFLOW_TRACKING_URI`, or a new one.

    A new server serves the local store while the block runs. It ends with this process, even if the process is killed.

    Yields:
        A function that waits until the server answers, and returns its URI. `MLFLOW_TRACKING_URI` is then set to it for
        this process and its children, until the block ends. A new server takes 10 to 20 seconds to start, so do
        something else first. The function raises a UserError if the new server doesn't start.

    Raises:
        UserError: the server of `MLFLOW_TRACKING_URI` doesn't answer.
    """
    if named := tracking_uri():
        connect()
        yield lambda: named
        return
    enable_wal()
    port = free_port()
    uri = f"http://{HOST}:{port}"
    log = Path(".cache/mlflow-server.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    # The keeper ends the server when this process ends, even by SIGKILL.
    keeper = [sys.executable, "-m", "tracking.keeper", *server_command(port, local_store(), artifact_root())]
    with log.open("w") as file:
        process = subprocess.Popen(
            keeper,
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**SERVER_SETTINGS, **os.environ},
        )

    def ready() -> str:
        wait_until_healthy(uri, process, log)
        os.environ[URI] = uri
        return uri

    try:
        yield ready
    finally:
        os.environ.pop(URI, None)
        assert process.stdin
        process.stdin.close()
        process.wait()


def enable_wal() -> None:
    """Switch the local store to a write-ahead log, so that readers don't wait for writers. SQLite keeps the setting."""
    with closing(sqlite3.connect(local_database())) as store:
        store.execute("PRAGMA journal_mode=WAL")


def artifact_root() -> str:
    """The URI of the local store's artefact folder."""
    return local_artifacts().as_uri()


def free_port() -> int:
    """A free port of this machine."""
    with closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def wait_until_healthy(uri: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until a server answers.

    Raises:
        UserError: it ended or didn't answer in time; the message names its log.
    """
    bypass_proxies()
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urlopen(f"{uri}/health", timeout=5) as response:
                if response.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.2)
    raise UserError(f"the MLflow server on {uri} did not start; see {log.absolute()}")


def serve(port: int, experiment: str) -> None:
    """Print the address of the UI, then replace this process with the MLflow server.

    If `MLFLOW_TRACKING_URI` is set, only print the address of that server.

    Args:
        experiment: the name of the experiment that the UI opens.

    Raises:
        UserError: the server of `MLFLOW_TRACKING_URI` cannot be reached, or the port is in use.
    """
    named = tracking_uri()
    client = connect()
    page = share_view(client, experiment_id(client, experiment))
    uri = named or f"http://{HOST}:{port}"
    if not named:
        _check_port(port)
    print(f"MLflow: {uri}\nComparison of the runs: {uri.rstrip('/')}{page}", flush=True)
    if named:
        return
    print("Press Ctrl-C to stop.", flush=True)
    enable_wal()
    command = server_command(port, local_store(), artifact_root())
    os.execve(command[0], command, {**SERVER_SETTINGS, **os.environ})


def _check_port(port: int) -> None:
    """Fail with one line if another process listens on the port, or this user may not.

    Raises:
        UserError: the port cannot be used.
    """
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        raise UserError(
            f"PORT = {port}: cannot be used ({os.strerror(error.errno or 0)}); choose another one"
        ) from None
