"""The address of the tracking server, `MLFLOW_TRACKING_URI`, and how this process reaches it.

A user and password in the address are moved to the variables that MLflow has for them. So they are never in what this
project prints, logs or writes.
"""

import os
import re
import socket
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from textbook.errors import UserError, first_line
from textbook.ray_start import cluster_address

URI = "MLFLOW_TRACKING_URI"
USER, PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
# By default, MLflow waits two minutes for a response and retries for another four, which is too long during training.
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # the commands print their own output
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
CONNECT_SECONDS = 5  # time limit for opening a connection
LOOPBACK = ("127.0.0.1", "localhost", "::1")
PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306}
_USERINFO = re.compile(r"(\w://)[^/\s]*@")


def prepare_environment() -> None:
    """Set the variables with which MLflow reaches the server; child processes inherit them."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    bypass_proxies()
    tracking_uri()


def tracking_uri() -> str:
    """The value of `MLFLOW_TRACKING_URI`, empty if it is not set. A user and password of a web server are moved out.

    Raises:
        UserError: it is not an address.
    """
    uri = os.environ.get(URI, "")
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError as error:
        raise UserError(f"{URI} = {redact(uri)}: is not an address ({error})") from None
    if parts.scheme not in ("http", "https") or "@" not in parts.netloc:
        return uri
    userinfo, _, host = parts.netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    os.environ |= {USER: unquote(user), PASSWORD: unquote(password), URI: parts._replace(netloc=host).geturl()}
    return os.environ[URI]


def redact(text: str) -> str:
    """A text in which no address has a user or password."""
    return _USERINFO.sub(r"\1", text)


def reason(error: Exception) -> str:
    """The first line of an error, for a message."""
    return redact(first_line(error))


def bypass_proxies() -> None:
    """Reach servers on this machine directly. A proxy that the environment names would look for them on its own."""
    current = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = [host.strip() for host in current.split(",") if host.strip()]
    if "*" not in hosts:
        hosts += [host for host in LOOPBACK if host not in hosts]
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(hosts)  # some programs read the one, some the other


def worker_environment(uri: str) -> Mapping[str, str]:
    """The variables that a Ray worker needs to reach a server. Workers of this machine inherit the password."""
    names = (USER, PASSWORD) if cluster_address() else ()
    return {URI: uri, **{name: os.environ[name] for name in names if name in os.environ}}


def open_connection(uri: str) -> None:
    """Fail immediately if nothing listens, instead of after MLflow's retries.

    Raises:
        OSError: nothing listens.
    """
    parts = urlsplit(uri)
    scheme = parts.scheme.split("+")[0]
    if scheme not in PORTS or not parts.hostname:
        return
    if scheme in ("http", "https") and scheme in getproxies() and not proxy_bypass(parts.hostname):
        return  # only the proxy can reach it
    socket.create_connection((parts.hostname, parts.port or PORTS[scheme]), timeout=CONNECT_SECONDS).close()
