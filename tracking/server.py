"""`python -m tracking.server [PORT]`: the MLflow server and UI over the local store, on this machine only."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from textbook.errors import UserError
from textbook.params_file import load_params
from tracking.store import URI, connect, experiment_id, local_artifacts, local_store
from tracking.view import share_view

HOST = "127.0.0.1"
START_SECONDS = 120
# A request takes up to three connections, one after the other: with MLflow's 15 for all, many writers at once wait for
# each other until they time out.
POOL = {"MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "20", "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "200"}


def server_command(port: int, store: str, artifacts: str) -> list[str]:
    """The command of an MLflow server whose clients reach the artefacts by themselves."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    return [*command, "--backend-store-uri", store, "--default-artifact-root", artifacts, "--no-serve-artifacts"]


@contextmanager
def serving() -> Iterator[str]:
    """Have a tracking server for several writers: the one that `MLFLOW_TRACKING_URI` names, else one of our own.

    Ours serves the local store while the block runs; `MLFLOW_TRACKING_URI` names it for this process and for those
    that it starts. However this process ends, it ends too.

    Raises:
        UserError: the server that is named doesn't answer, or ours doesn't start.
    """
    if os.environ.get(URI):
        connect()
        yield os.environ[URI]
        return
    let_readers_and_a_writer_in()
    port = free_port()
    uri = f"http://{HOST}:{port}"
    log = Path(".cache/mlflow-server.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    # A keeper between us and the server: its standard input closes when we end, even by SIGKILL.
    keeper = [sys.executable, "-m", "tracking.server", "keep", *server_command(port, local_store(), artifact_root())]
    with log.open("w") as file:
        process = subprocess.Popen(
            keeper,
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**POOL, **os.environ},
        )
    try:
        wait_until_healthy(uri, process, log)
        os.environ[URI] = uri
        yield uri
    finally:
        os.environ.pop(URI, None)
        assert process.stdin
        process.stdin.close()
        process.wait()


def let_readers_and_a_writer_in() -> None:
    """Keep the local store's journal aside, so that reading doesn't wait for writing; SQLite remembers it."""
    with closing(sqlite3.connect(local_store().removeprefix("sqlite:///"))) as store:
        store.execute("PRAGMA journal_mode=WAL")


def artifact_root() -> str:
    """The URI of the folder of the local store's artefacts."""
    return local_artifacts().as_uri()


def free_port() -> int:
    """A port of this machine on which nothing listens."""
    with closing(socket.socket()) as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])


def wait_until_healthy(uri: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until a server answers.

    Raises:
        UserError: it ended, or didn't answer in time; names its log.
    """
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urlopen(f"{uri}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.2)
    raise UserError(f"the MLflow server on {uri} did not start; see {log.absolute()}")


def _keep(command: list[str]) -> None:
    """Run a command until our standard input closes."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGCHLD, lambda *_: os._exit(1) if child.poll() is not None else None)
    sys.stdin.read()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.killpg(0, signal.SIGTERM)  # the server and its workers are of our session, as we are


def main() -> None:
    """Replace this process by the server, or keep a server for another process."""
    if sys.argv[1:2] == ["keep"]:
        _keep(sys.argv[2:])
        return
    named, port = os.environ.get(URI), sys.argv[1] if len(sys.argv) > 1 else "5000"
    try:
        client = connect()
        page = share_view(client, experiment_id(client, load_params().tracking.experiment))
    except UserError as error:
        sys.exit(f"error: {error}")
    uri = named or f"http://{HOST}:{port}"
    print(f"MLflow on {uri}\nThe runs, side by side: {uri.rstrip('/')}{page}", flush=True)
    if named:
        return
    print("Ctrl-C ends it", flush=True)
    let_readers_and_a_writer_in()
    command = server_command(int(port), local_store(), artifact_root())
    os.execve(command[0], command, {**POOL, **os.environ})


if __name__ == "__main__":
    main()
