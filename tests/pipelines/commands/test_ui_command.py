"""`make ui`."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from textbook.errors import UserError
from tracking.server import serve

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("port", ["abc", ""])
def test_a_port_that_is_none_is_one_line(port, tmp_path):
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "pipelines.commands.ui", port]
    process = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert process.returncode == 1
    (line,) = process.stderr.splitlines()
    assert line.startswith("error: Invalid value for 'port': ")


def test_a_port_that_is_in_use_is_one_line(client):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UserError, match=rf"PORT = {port}: cannot be used \(Address already in use\)"):
            serve(port, "textbook")
