"""The address of the tracking server: passwords stay out of everything that is shown, and proxies out of loopback."""

import os
import socket
import subprocess
import sys
import threading
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

import tracking.address
from textbook.errors import UserError
from tracking.address import PASSWORD, URI, USER, bypass_proxies, redact, tracking_uri, worker_environment
from tracking.server import free_port, wait_until_healthy
from tracking.store import connect, run_url

SECRET = "hunter2"
NAMES = (URI, USER, PASSWORD, "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy", "NO_PROXY")


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """No server and no proxies; all variables are restored after the test."""
    for name in NAMES:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return monkeypatch


@pytest.fixture
def server():
    """The port of a server that answers every request with an error, and the headers that it got."""
    headers = []

    class Refuse(BaseHTTPRequestHandler):
        def do_GET(self):
            headers.append(dict(self.headers))
            self.send_response(200 if self.path == "/health" else 403)
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Refuse) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield http.server_port, headers
        http.shutdown()


def test_a_password_is_used_but_never_shown(environment, server, capfd):
    port, headers = server
    environment.setenv(URI, f"http://ann%40home:{SECRET}%21@127.0.0.1:{port}/mlflow")
    with pytest.raises(UserError) as error:
        connect()
    kind, _, value = headers[-1]["Authorization"].partition(" ")
    assert (kind, b64decode(value).decode()) == ("Basic", f"ann@home:{SECRET}!")
    assert str(error.value).startswith(f"{URI} = http://127.0.0.1:{port}/mlflow: no MLflow server answers")
    assert os.environ[URI] == f"http://127.0.0.1:{port}/mlflow"
    assert run_url("1", "abc") == f"http://127.0.0.1:{port}/mlflow/#/experiments/1/runs/abc"
    captured = capfd.readouterr()
    assert SECRET not in str(error.value) + captured.out + captured.err


def test_the_report_has_no_password(environment):
    environment.setenv(URI, f"https://ann:{SECRET}@runs.example.org/")
    assert run_url("1", "abc") == "https://runs.example.org/#/experiments/1/runs/abc"


@pytest.mark.parametrize(
    "uri",
    [f"postgresql://ann:{SECRET}@127.0.0.1:1/db", f"http://ann:{SECRET}@127.0.0.1:port", f"nothing://a:{SECRET}@b"],
)
def test_no_error_shows_a_password(environment, uri):
    environment.setenv(URI, uri)
    with pytest.raises(UserError) as error:
        connect()
    assert str(error.value).startswith(f"{URI} = ")
    assert SECRET not in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://a:b@c.org/x?y=z@w, please", "see https://c.org/x?y=z@w, please"),
        ("https://a:b@d@c.org", "https://c.org"),
        ("postgresql+psycopg2://a@c/d", "postgresql+psycopg2://c/d"),
        ("mail a@c.org", "mail a@c.org"),
    ],
)
def test_redact(text, shown):
    assert redact(text) == shown


def test_only_workers_of_a_cluster_are_given_the_password(environment):
    environment.setenv(URI, f"https://ann:{SECRET}@runs.example.org")
    uri = tracking_uri()
    assert worker_environment(uri) == {URI: "https://runs.example.org"}
    environment.setenv("RAY_ADDRESS", "10.0.0.5:6379")
    assert worker_environment(uri) == {URI: "https://runs.example.org", USER: "ann", PASSWORD: SECRET}


def test_a_server_on_this_machine_is_reached_without_the_proxy(environment, server):
    port, headers = server
    for name in ("http_proxy", "https_proxy"):
        environment.setenv(name, f"http://127.0.0.1:{free_port()}")
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    wait_until_healthy(f"http://127.0.0.1:{port}", process, Path("log"))
    process.communicate()
    environment.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    environment.setenv(URI, f"http://localhost:{port}")
    with pytest.raises(UserError, match="403"):  # from the server itself
        connect()
    assert len(headers) == 2


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("no_proxy", "", "127.0.0.1,localhost,::1"),
        ("NO_PROXY", "intra.example, localhost", "intra.example,localhost,127.0.0.1,::1"),
        ("no_proxy", "*", "*"),
    ],
)
def test_the_hosts_of_no_proxy_are_kept(environment, name, before, after):
    environment.setenv(name, before)
    bypass_proxies()
    bypass_proxies()
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == after


def test_a_server_that_only_the_proxy_can_reach_is_not_asked_directly(environment):
    environment.setenv("https_proxy", "http://127.0.0.1:1")
    tracking.address.open_connection("https://mlflow.intra.invalid")
    with pytest.raises(socket.gaierror):
        tracking.address.open_connection("http://mlflow.intra.invalid")
