"""A `python` whose imports are done already, for tests that run many stages.

Each stage of `dvc repro` is a process of its own, and importing PyTorch and transformers takes 7 seconds each time. The
server imports them once. The client stands in for `python`: for `python -m MODULE …` it sends its arguments, folder,
environment and standard streams to the server, which forks a process that runs the module.

    python warm_python.py serve SOCKET
"""

import array
import json
import os
import runpy
import signal
import socket
import sys
from pathlib import Path

CLIENT = """\
#!{python} -ISE
import array, json, os, signal, socket, sys

server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
request = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
streams = array.array("i", [0, 1, 2])
server.sendmsg([len(request).to_bytes(8, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
server.sendall(request)
process = int.from_bytes(server.recv(8), "big")
for name in ("SIGINT", "SIGTERM"):
    signal.signal(getattr(signal, name), lambda number, _frame: os.kill(process, number))
sys.exit(int.from_bytes(server.recv(8), "big"))
"""


def write_client(path: Path, address: Path) -> None:
    """Write an executable that runs modules in the server; it takes `-m MODULE …` only."""
    path.write_text(CLIENT.format(python=sys.executable, address=str(address)))
    path.chmod(0o755)


def serve(address: str) -> None:
    """Import what takes long, and fork a process for every request until the parent of this process ends."""
    preload()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    parent = os.getppid()
    listener.settimeout(1)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while os.getppid() == parent:
        try:
            client, _ = listener.accept()
        except TimeoutError:
            continue
        if os.fork() == 0:
            listener.close()
            handle(client)
        client.close()


def preload() -> None:
    """Import the libraries that stages use, and none of the project's modules."""
    import great_expectations  # noqa: F401
    import mlflow.transformers  # noqa: F401
    import onnxruntime.quantization  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import scipy.stats  # noqa: F401
    import sklearn.metrics  # noqa: F401
    import torch  # noqa: F401
    from torch.distributed.fsdp import fully_shard  # noqa: F401
    from transformers import (  # noqa: F401
        AutoModel,
        AutoModelForMaskedLM,
        AutoModelForSequenceClassification,
        AutoTokenizer,
        PreTrainedModel,
    )


def handle(client: socket.socket) -> None:
    """Fork the process of a request, and tell the client first its number and then its exit status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    streams = array.array("i")
    size, ancillary, *_ = client.recvmsg(8, socket.CMSG_LEN(3 * streams.itemsize))
    streams.frombytes(ancillary[0][2])
    request = b""
    while len(request) < int.from_bytes(size, "big"):
        request += client.recv(1 << 16)
    child = os.fork()
    if child == 0:
        client.close()
        os.setsid()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        run(*json.loads(request))
    client.sendall(child.to_bytes(8, "big"))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    client.sendall((status if status >= 0 else 128 - status).to_bytes(8, "big"))
    os._exit(0)


def run(arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    """Run `-m MODULE …` in this process, as a new Python would, and end it."""
    option, module, *rest = arguments
    assert option == "-m", arguments
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = [folder, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv = [module, *rest]
    # Those of the server were opened on a device that can seek, and a pipe cannot.
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 -- open until the process ends
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    code = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
    except BaseException:
        code = 1
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


if __name__ == "__main__":
    serve(sys.argv[2])
