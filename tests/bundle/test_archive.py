"""The archive of a bundle: what is unpacked is what was packed, or nothing."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from textbook.bundle.archive import ARCHIVE, file_hashes, unpack, write_archive
from textbook.errors import UserError
from textbook.files import sha256


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Files for an archive; the large one cannot be compressed."""
    content = {"small": b"text", "empty": b"", "large": np.random.default_rng(0).bytes(100_000)}
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
    return {f"folder/{name}": tmp_path / name for name in content}


@pytest.mark.parametrize(("size", "count"), [(None, 1), (30_000, 4), (1_000, 101)])
def test_what_is_unpacked_is_what_was_packed(
    files: dict[str, Path], tmp_path: Path, size: int | None, count: int
) -> None:
    parts = write_archive(files, tmp_path / "out", size)
    assert len(parts) == count
    assert [path.name for path in parts] == sorted(path.name for path in parts)
    assert all(path.stat().st_size == size for path in parts[:-1])
    unpack([*reversed(parts), tmp_path / "out" / f"{ARCHIVE}.json"], tmp_path / "new")
    assert {name: (tmp_path / "new" / name).read_bytes() for name in files} == {
        name: path.read_bytes() for name, path in files.items()
    }
    assert len(file_hashes(tmp_path / "new")) == len(files)


def test_equal_files_are_an_equal_archive_that_replaces_the_earlier_one(files: dict[str, Path], tmp_path: Path) -> None:
    first = [path.read_bytes() for path in write_archive(files, tmp_path / "out", 1_000)]
    (path,) = write_archive(files, tmp_path / "out")
    assert path.read_bytes() == b"".join(first)
    assert {other.name for other in (tmp_path / "out").iterdir()} == {ARCHIVE, f"{ARCHIVE}.json"}


def test_parts_that_are_missing_damaged_or_foreign_are_refused(files: dict[str, Path], tmp_path: Path) -> None:
    parts, new = write_archive(files, tmp_path / "out", 30_000), tmp_path / "new"
    with pytest.raises(UserError, match=r"^bundle\.tar\.gz\.part02: missing of the 4 parts"):
        unpack([parts[0], *parts[2:]], new)
    foreign = parts[0].with_name("bundle.tar.gz.part99")
    with pytest.raises(UserError, match="part99: is no part of the bundle"):
        unpack([*parts, foreign], new)
    parts[1].write_bytes(parts[1].read_bytes()[:-1] + b"!")
    with pytest.raises(UserError, match="part02: is missing or damaged; copy it again"):
        unpack(parts, new)
    listed = parts[0].with_name(f"{ARCHIVE}.json")
    content = json.loads(listed.read_text())
    listed.write_text(json.dumps({**content, "version": 99}))
    with pytest.raises(UserError, match="is of version 99 of bundles; this code reads version 1"):
        unpack(parts, new)
    listed.write_text("[")
    with pytest.raises(UserError, match="is damaged; copy it again"):
        unpack(parts, new)
    listed.unlink()
    with pytest.raises(UserError, match="is missing; it lists the parts"):
        unpack(parts, new)
    new.mkdir()
    with pytest.raises(UserError, match="exists already"):
        unpack(parts, new)


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "bad",
    [
        member("/tmp/absolute"),
        member("../above"),
        member("inside/../../above"),
        member("link", tarfile.SYMTYPE, "small"),
        member("link", tarfile.LNKTYPE, "folder/small"),
        member("device", tarfile.CHRTYPE),
    ],
    ids=lambda info: f"{info.name} {info.type!r}",
)
def test_an_archive_that_reaches_out_of_its_folder_is_refused(tmp_path: Path, bad: tarfile.TarInfo) -> None:
    (path,) = write_archive({}, tmp_path / "out")
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(member("folder/small"), io.BytesIO())
        tar.addfile(bad)
    accept(path)
    with pytest.raises(UserError, match="is no whole archive, or one that is not safe to unpack"):
        unpack([path], tmp_path / "new")
    assert {other.name for other in tmp_path.iterdir()} == {"out"}


def test_an_archive_that_is_cut_off_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    (path,) = write_archive(files, tmp_path / "out")
    for content in (path.read_bytes()[:50_000], b"nonsense", gzip.compress(b"nonsense" * 1000)):
        path.write_bytes(content)
        accept(path)
        with pytest.raises(UserError, match="is no whole archive"):
            unpack([path], tmp_path / "new")
        assert not (tmp_path / "new").exists()


def accept(path: Path) -> None:
    """List an archive as it is now."""
    path.with_name(f"{ARCHIVE}.json").write_text(json.dumps({"version": 1, "parts": {path.name: sha256(path)}}))
