"""Tables at URLs: read like local ones, part by part, and stale as soon as one changes."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from textbook.errors import UserError
from textbook.params import Source, UrlAsset
from textbook.tables.files import Part, choose_tables, cut_table, table_size
from textbook.tables.read import read_rows_of
from textbook.tables.remote import is_remote, list_remote, list_versions, note_remote

URL = "memory:///bucket/web"
TEXTS = [f"Text number {number}, in a file that is cut." for number in range(2_000)]


def tables() -> dict[str, bytes]:
    """The same rows in files of each format."""
    parquet = pa.BufferOutputStream()
    pq.write_table(pa.table({"text": TEXTS}), parquet, row_group_size=300)
    lines = "".join(f"{text}\n" for text in TEXTS).encode()
    return {
        "a.parquet": parquet.getvalue().to_pybytes(),
        "b.jsonl": "".join(f'{{"text": "{text}"}}\n' for text in TEXTS).encode(),
        "c.txt": lines,
        "2024/d.txt.gz": gzip.compress(lines),
        "2024/e.csv": b"text\n" + b"".join(b'"%s"\n' % text.encode() for text in TEXTS),
    }


@pytest.fixture
def store() -> Iterator[Any]:
    """A store in memory with a folder of tables, a file without a known format, and a hidden one."""
    store = fsspec.filesystem("memory")
    for name, content in {**tables(), "README": b"about", ".hidden.txt": b"no data"}.items():
        store.pipe(f"/bucket/web/{name}", content)
    yield store
    store.rm("/bucket", recursive=True)


def read(parts: list[Part]) -> list[str]:
    blocks = (block for part in parts for block in read_rows_of(part, ["text"], Source(asset="web")))
    return [text for block in blocks for text in block.columns["text"]]


def test_a_table_at_a_url_has_the_rows_and_the_parts_of_a_local_one(store: Any, tmp_path: Path) -> None:
    for name, content in tables().items():
        local = tmp_path / Path(name).name
        local.write_bytes(content)
        parts, own = cut_table(f"{URL}/{name}", 20_000), cut_table(str(local), 20_000)
        assert [(part.start, part.stop) for part in parts] == [(part.start, part.stop) for part in own]
        assert (len(parts) > 3) == (name in ("a.parquet", "b.jsonl", "c.txt"))
        assert read(parts) == TEXTS
        assert table_size(parts[0].path) == len(content)


def test_files_are_listed_with_their_versions(store: Any) -> None:
    root, versions = list_versions(f"{URL}/")
    assert root == URL
    assert list(versions) == [f"{URL}/{name}" for name in sorted([*tables(), "README"])]
    assert choose_tables(versions, "2024/*", root) == [f"{URL}/2024/d.txt.gz", f"{URL}/2024/e.csv"]
    assert list_versions(f"{URL}/c.txt") == (f"{URL}/c.txt", {f"{URL}/c.txt": versions[f"{URL}/c.txt"]})
    store.pipe("/bucket/web/c.txt", b"other")
    after = list_versions(URL)[1]
    assert [name for name in versions if versions[name] != after[name]] == [f"{URL}/c.txt"]


def test_files_of_one_size_and_time_are_told_apart(store: Any) -> None:
    for name in ("x", "y"):
        store.pipe(f"/bucket/twins/{name}.txt", f"Only {name}.\n".encode())
        store.store[f"/bucket/twins/{name}.txt"].created = store.store["/bucket/twins/x.txt"].created
    _, versions = list_versions("memory:///bucket/twins")
    assert len(set(versions.values())) == 2


@pytest.mark.parametrize("change", ["changed", "new", "missing"])
def test_a_file_that_is_not_as_noted_is_refused(store: Any, tmp_path: Path, change: str) -> None:
    assert note_remote(UrlAsset(url=URL), tmp_path / "web") == len(tables()) + 1
    assert is_remote(tmp_path / "web")
    assert list_remote(tmp_path / "web") == list_versions(URL)
    if change == "missing":
        store.rm("/bucket/web/c.txt")
    else:
        store.pipe("/bucket/web/c.txt" if change == "changed" else "/bucket/web/f.txt", b"other")
    with pytest.raises(
        UserError, match=rf"^{URL}/[cf]\.txt: has changed since the asset web was fetched; run `dvc repro`"
    ):
        list_remote(tmp_path / "web")


def test_a_folder_of_hidden_files_only_has_no_files() -> None:
    store = fsspec.filesystem("memory")
    store.pipe("/empty/.hidden.txt", b"no data")
    with pytest.raises(UserError, match=r"^memory://empty: has no files$"):
        list_versions("memory://empty")
    store.rm("/empty", recursive=True)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("memory://nowhere", "memory://nowhere: cannot be read: no such file or folder"),
        ("nonsense://bucket", "nonsense://bucket: cannot be read: Protocol not known: nonsense"),
        ("http://127.0.0.1:9/a.txt", "http://127.0.0.1:9/a.txt: cannot be read: Cannot connect to host 127.0.0.1:9"),
    ],
)
def test_a_url_that_cannot_be_listed_is_one_line(url: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        list_versions(url)
    assert str(error.value).startswith(message)


def test_an_error_in_a_file_names_its_url_and_line(store: Any) -> None:
    store.pipe("/bucket/web/c.txt", b"fine\n\xff\n")
    with pytest.raises(UserError, match=rf"^{URL}/c\.txt: line 2: is not UTF-8"):
        read(cut_table(f"{URL}/c.txt"))
    store.pipe("/bucket/web/a.parquet", b"PAR1")
    with pytest.raises(UserError, match=rf"^{URL}/a\.parquet: "):
        cut_table(f"{URL}/a.parquet")
