"""Fetching assets from the Hugging Face hub, and streaming from it."""

import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from textbook.assets.manifest import list_files, locate
from textbook.errors import UserError

COMMIT = "a" * 40
REPOSITORY = {
    "model.safetensors": b"weights",
    "config.json": b"{}",
    "notes.md": b"# Notes",
    "pytorch_model.bin": b"a pickle",
    "old/weights.pt": b"a pickle",
    "vocab.pkl": b"a pickle",
}

TEXTS = [f"The text number {number} is streamed." for number in range(5_000)]


def dataset() -> dict[str, bytes]:
    """The files of a data set on the hub, by path."""
    table = pa.BufferOutputStream()
    pq.write_table(pa.table({"text": TEXTS[:2_000]}), table, row_group_size=500)
    lines = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS[2_000:]).encode()
    first_half = gzip.compress(lines[: len(lines) // 2 + 1], mtime=0)
    return {
        "README.md": b"# News",
        "data/1.parquet": table.getvalue().to_pybytes(),
        "data/2.jsonl.gz": gzip.compress(lines, mtime=0),
        "extra/3.txt.gz": first_half,
    }


DATASET = dataset()


class Hub(BaseHTTPRequestHandler):
    """The part of the hub's protocol that its client needs to read two repositories, each at one commit."""

    def do_GET(self) -> None:
        kind, _, rest = unquote(self.path.partition("?")[0]).partition(f"/{COMMIT}")
        files, name = (DATASET if "datasets/someone/news" in kind else REPOSITORY), rest[1:]
        if kind in ("/api/models/someone/encoder/tree", "/api/datasets/someone/news/tree"):
            below = {path: data for path, data in files.items() if path.startswith(name)}
            tree = [{"type": "file", "path": path, "size": len(data), "oid": path} for path, data in below.items()]
            body = json.dumps(tree).encode()
        elif kind == "/api/datasets/someone/news/revision":
            body = json.dumps({"id": "someone/news", "sha": COMMIT, "tags": [], "siblings": []}).encode()
        elif kind in ("/someone/encoder/resolve", "/datasets/someone/news/resolve") and name in files:
            body = files[name]
        else:
            self.send_error(404)
            return
        etag = f'"{hashlib.sha1(body).hexdigest()}"'
        if byte_range := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
            body = body[int(byte_range[1]) : int(byte_range[2]) + 1]
        self.send_response(206 if byte_range else 200)
        for key, value in {"ETag": etag, "X-Repo-Commit": COMMIT, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[str]:
    """The address of a local hub."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def run_program(program: str, folder: Path, environment: dict[str, str], *arguments: str) -> str:
    """Run a program in a separate process, because the hub client reads the environment when it is imported.

    Args:
        folder: the folder of the asset, the first argument of the program.

    Returns:
        What the program prints.
    """
    command = [sys.executable, "-c", program, str(folder), *arguments]
    settings = {"HF_HOME": str(folder.parent / "home"), "NO_PROXY": "127.0.0.1", "HF_HUB_DISABLE_XET": "1"}
    process = subprocess.run(command, env={**os.environ, **settings, **environment}, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return process.stdout


FETCH = """
import json, sys
from pathlib import Path
from textbook.assets.fetch import fetch
from textbook.errors import UserError
from textbook.params import HubAsset
try:
    fetch(HubAsset(**json.loads(sys.argv[2])), Path(sys.argv[1]))
except UserError as error:
    print(error)
"""


def fetch_from_hub(folder: Path, settings: dict[str, object], environment: dict[str, str]) -> str:
    """Fetch an asset; return the error message, which is empty on success."""
    return run_program(FETCH, folder, environment, json.dumps(settings)).strip()


def read_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ({}, ["config.json", "model.safetensors"]),
        ({"files": ["*"]}, ["config.json", "model.safetensors", "notes.md"]),
        ({"files": ["*.bin", "*.json"]}, ["config.json"]),
    ],
    ids=["by default", "everything", "pickles asked for"],
)
def test_a_repository_is_fetched_at_its_commit_without_pickles(
    tmp_path: Path, hub: str, patterns: dict[str, object], expected: list[str]
) -> None:
    settings = {"repo": "someone/encoder", "revision": COMMIT, **patterns}
    assert fetch_from_hub(tmp_path / "encoder", settings, {"HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0"}) == ""
    located = locate(tmp_path / "encoder")
    assert sorted(read_files(located)) == expected, "files of the hub client differ from one download to the next"
    assert all(content == REPOSITORY[name] for name, content in read_files(located).items())


@pytest.mark.parametrize("repo", ["someone/encoder", "no such/name/at all"], ids=["offline", "bad name"])
def test_a_repository_that_cannot_be_fetched_is_reported_in_one_line(tmp_path: Path, repo: str) -> None:
    settings: dict[str, object] = {"repo": repo, "revision": COMMIT}
    error = fetch_from_hub(tmp_path / "assets" / "encoder", settings, {"HF_HUB_OFFLINE": "1"})
    assert error.startswith(f"hub {repo}@{COMMIT}: ")
    assert "\n" not in error
    assert list((tmp_path / "assets").glob("encoder*")) == []


def test_an_unknown_commit_is_reported_in_one_line(tmp_path: Path, hub: str) -> None:
    settings: dict[str, object] = {"repo": "someone/encoder", "revision": "b" * 40}
    error = fetch_from_hub(tmp_path / "encoder", settings, {"HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0"})
    assert error.startswith(f"hub someone/encoder@{'b' * 40}: ")
    assert "\n" not in error


def fetch_streamed(folder: Path, files: list[str], environment: dict[str, str]) -> str:
    """Fetch the data set with `stream`; return the error message, which is empty on success."""
    settings = {"repo": "someone/news", "revision": COMMIT, "kind": "dataset", "files": files, "stream": True}
    return fetch_from_hub(folder, settings, environment)


READ_ALL = """
import json, sys
from pathlib import Path
from textbook.assets.manifest import list_files
from textbook.errors import UserError
from textbook.tables.files import choose_tables, cut_table
from textbook.tables.read import read_batches
root, files = list_files(Path(sys.argv[1]))
try:
    parts = [part for table in choose_tables(files, "data/*", root) for part in cut_table(table, 5_000)]
    texts = [text for part in parts for batch in read_batches(part, ["text"], {}) for text in batch["text"].to_pylist()]
    print(json.dumps([len(parts), texts]))
except UserError as error:
    print(json.dumps(str(error)))
"""


def read_streamed(folder: Path, environment: dict[str, str]) -> object:
    """Read a streamed data set; return the number of parts of its tables and their texts, or the error message."""
    return json.loads(run_program(READ_ALL, folder, environment))


def test_a_streamed_data_set_is_read_from_the_hub(tmp_path: Path, hub: str) -> None:
    online = {"HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0"}
    assert fetch_streamed(tmp_path / "news", ["data/*", "extra/*"], online) == ""
    assert list(read_files(tmp_path / "news")) == ["asset.json"], "something was downloaded"
    root, listed = list_files(tmp_path / "news")
    assert root == f"hf://datasets/someone/news@{COMMIT}"
    names = ["data/1.parquet", "data/2.jsonl.gz", "extra/3.txt.gz"]
    assert listed == {f"{root}/{name}": name for name in names}  # the hash of a file is its name in this hub
    parts, texts = read_streamed(tmp_path / "news", online)  # type: ignore[misc]
    assert texts == TEXTS
    assert parts > 2, "the Parquet file was not cut into parts"
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size > 5_000], (
        "the data was stored"
    )


@pytest.mark.slow
def test_a_streamed_data_set_that_cannot_be_read_is_reported_in_one_line(tmp_path: Path, hub: str) -> None:
    online = {"HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0"}
    assert fetch_streamed(tmp_path / "a", ["*.csv"], online).startswith(
        f"hub someone/news@{COMMIT}: none of its 4 files matches"
    )
    offline = fetch_streamed(tmp_path / "b", ["data/*"], {"HF_HUB_OFFLINE": "1"})
    assert offline.startswith(f"hub someone/news@{COMMIT}: ")
    assert "\n" not in offline
    dead = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "http://127.0.0.1:9"}
    unreachable = fetch_streamed(tmp_path / "b", ["data/*"], dead)
    assert unreachable.startswith(f"hub someone/news@{COMMIT}: ")
    assert "refused" in unreachable
    assert list(tmp_path.glob("[ab]*")) == []
    assert fetch_streamed(tmp_path / "news", ["data/*"], online) == ""
    for environment in ({"HF_HUB_OFFLINE": "1"}, dead):
        error = read_streamed(tmp_path / "news", environment)
        assert str(error).startswith(f"hf://datasets/someone/news@{COMMIT}/data/1.parquet: ")
    with pytest.raises(UserError, match=f"is streamed from hf://datasets/someone/news@{COMMIT}; only a source"):
        locate(tmp_path / "news")
