"""A local hub, with the part of the hub's protocol that its client and `datasets` need."""

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

COMMIT = "a" * 40
REPOSITORY = {
    "model.safetensors": b"weights",
    "config.json": b"{}",
    "notes.md": b"# Notes",
    "pytorch_model.bin": b"a pickle",
    "old/weights.pt": b"a pickle",
    "vocab.pkl": b"a pickle",
}
TEXTS = [f"The text number {number} is streamed." for number in range(3_000)]
CARD = b"""---
configs:
- config_name: news
  data_files:
  - {split: train, path: "data/*.parquet"}
  - {split: test, path: extra/test.parquet}
- config_name: old
  data_files: data/1.parquet
---
"""


def _dataset() -> dict[str, bytes]:
    """The files of a data set on the hub, by path."""
    parts = {"data/1": TEXTS[:1_000], "data/2": TEXTS[1_000:], "extra/test": TEXTS[:1]}
    files = {"README.md": CARD}
    for name, texts in parts.items():
        table = pa.BufferOutputStream()
        pq.write_table(pa.table({"text": texts, "number": range(len(texts))}), table)
        files[f"{name}.parquet"] = table.getvalue().to_pybytes()
    return files


DATASET = _dataset()


class Hub(BaseHTTPRequestHandler):
    """Answers for a model, `someone/encoder`, and a data set, `someone/news`, each at one commit."""

    def do_GET(self) -> None:
        path, _, query = unquote(self.path).partition("?")
        kind, _, rest = path.partition(f"/{COMMIT}")
        files, name = (DATASET if "datasets/someone/news" in kind else REPOSITORY), rest[1:]
        if kind in ("/api/models/someone/encoder/tree", "/api/datasets/someone/news/tree"):
            body = json.dumps(_list(files, name, recursive="recursive=true" in query.lower())).encode()
        elif kind == "/api/datasets/someone/news/revision":
            body = json.dumps({"id": "someone/news", "sha": COMMIT, "tags": [], "siblings": []}).encode()
        elif kind in ("/someone/encoder/resolve", "/datasets/someone/news/resolve") and name in files:
            body = files[name]
        else:
            known = "someone/news" in path or "someone/encoder" in path
            self.refuse("RepoNotFound" if not known else "EntryNotFound" if rest else "RevisionNotFound")
            return
        etag = f'"{hashlib.sha1(body).hexdigest()}"'
        if byte_range := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            body = body[int(byte_range[1]) : int(byte_range[2]) + 1 if byte_range[2] else None]
        self.send_response(206 if byte_range else 200)
        for key, value in {"ETag": etag, "X-Repo-Commit": COMMIT, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps([_describe(path, DATASET[path]) for path in request["paths"] if path in DATASET]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def _list(files: dict[str, bytes], folder: str, recursive: bool) -> list[dict[str, object]]:
    """The entries of a folder, as the hub describes them."""
    start = f"{folder}/" if folder else ""
    below = [path for path in files if path.startswith(start)]
    folders = {start + path.removeprefix(start).split("/")[0] for path in below} - set(files)
    direct = [path for path in below if recursive or "/" not in path.removeprefix(start)]
    listed: list[dict[str, object]] = [{"type": "directory", "path": path, "oid": path} for path in sorted(folders)]
    return listed + [_describe(path, files[path]) for path in direct]


def _describe(path: str, data: bytes) -> dict[str, object]:
    return {"type": "file", "path": path, "size": len(data), "oid": path}


@contextmanager
def serve_hub() -> Iterator[str]:
    """Start a local hub; yield its address."""
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
    settings = {"HOME": str(folder.parent / "home"), "NO_PROXY": "127.0.0.1", "HF_HUB_DISABLE_XET": "1"}
    process = subprocess.run(command, env={**os.environ, **settings, **environment}, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return process.stdout
