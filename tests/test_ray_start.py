"""Ray in real surroundings: long paths, no home folder, other users on the machine, and clusters that do not answer."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

from textbook.errors import UserError
from textbook.ray_start import cluster_address, start_ray
from tracking.server import free_port

ROOT = Path(__file__).parents[1]
LOCAL = """
import json, os, psutil
from textbook.ray_start import start_ray
start_ray()
import ray
seen = ray.get(ray.remote(lambda: os.environ["RAY_AUTH_TOKEN"]).remote())
mine = {psutil.Process(), *psutil.Process().children(recursive=True)}
listening = [c.laddr.ip for p in mine for c in p.net_connections("inet") if c.status == "LISTEN"]
session = ray._private.worker._global_node.get_session_dir_path()
folder = os.path.dirname(os.path.dirname(session))
mode = os.stat(folder).st_mode & 0o777
print(json.dumps({"token": seen, "listening": listening, "folder": folder, "mode": mode}))
"""


def run(program, **environment):
    """Run a program in surroundings of its own; its standard output and error."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    process = subprocess.run(
        [sys.executable, "-c", program],
        env={**variables, "PYTHONPATH": str(ROOT / "src"), **environment},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout, process.stderr


@pytest.mark.slow
def test_a_local_ray_is_private_and_needs_neither_a_home_nor_a_short_path(tmp_path):
    long = tmp_path / ("x" * 100)
    long.mkdir()
    surroundings = {"TMPDIR": str(long), "HOME": "/nonexistent", "RAY_AUTH_MODE": "disabled"}
    outputs = [run(LOCAL, **surroundings) for _ in range(2)]
    runs = [json.loads(output) for output, _ in outputs]
    for seen, (_, errors) in zip(runs, outputs, strict=True):
        assert errors == ""
        assert {address.removeprefix("::ffff:") for address in seen["listening"]} == {"127.0.0.1"}
        assert seen["mode"] == 0o700
        assert not Path(seen["folder"]).exists()
        assert re.fullmatch(r"[0-9a-f]{64}", seen["token"])
    assert runs[0]["token"] != runs[1]["token"]


def test_without_a_folder_for_its_sockets_ray_is_refused(monkeypatch):
    def no_folder(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "restored after the test")
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "restored after the test")
    monkeypatch.setattr("tempfile.mkdtemp", no_folder)
    with pytest.raises(UserError, match=r"Ray needs a folder that can be written, with a path of at most \d+ char"):
        start_ray()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("10.0.0.5", "must be the HOST:PORT of a Ray cluster"),
        ("http://a", "must be the HOST:PORT of a Ray cluster"),
        ("127.0.0.1:99999", "no Ray cluster answers"),
        ("no.such.host.invalid:6379", "no Ray cluster answers"),
    ],
)
def test_an_address_without_a_cluster_is_one_line(address, message, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(UserError) as error:
        start_ray()
    assert str(error.value).startswith(f"RAY_ADDRESS = {address}: {message}")
    assert len(str(error.value).splitlines()) == 1


def test_a_cluster_that_is_down_is_one_line_at_once(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
    with pytest.raises(UserError, match=rf"RAY_ADDRESS = 127.0.0.1:{port}: no Ray cluster answers .*unset"):
        start_ray()


@pytest.mark.parametrize(("value", "address"), [("", ""), ("local", ""), (" a:1 ", "a:1")])
def test_an_empty_address_means_this_machine(value, address, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", value)
    assert cluster_address() == address


JOIN = """
from textbook.errors import UserError
from textbook.ray_start import start_ray
try:
    start_ray()
except UserError as error:
    print(error)
else:
    print("joined")
"""


@pytest.mark.slow
def test_a_cluster_is_joined_with_its_token_and_refuses_any_other(tmp_path):
    address = f"127.0.0.1:{free_port()}"
    (tmp_path / "token").write_text("a" * 64)
    mine = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(tmp_path / "token")}
    command = [Path(sys.executable).with_name("ray"), "start", "--head", "--port", address.rpartition(":")[2]]
    options = ["--num-cpus=1", "--include-dashboard=false", "--disable-usage-stats", "--block"]
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, *options, f"--temp-dir={folder}"],
            env={**os.environ, **mine},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            wait_for_port(address, process)
            assert run(JOIN, RAY_ADDRESS=address, **mine)[0] == "joined\n"
            output, _ = run(JOIN, RAY_ADDRESS=address, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN="b" * 64)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
    (line,) = output.splitlines()
    assert line.startswith(f"RAY_ADDRESS = {address}: cannot join the Ray cluster (")
    assert line.endswith("set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH to the file with the token")


def wait_for_port(address, process):
    """Wait until something listens at an address."""
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None
        assert time.monotonic() < deadline
        with suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return
        time.sleep(0.1)
