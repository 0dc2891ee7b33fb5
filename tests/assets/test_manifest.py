"""Manifests: where the files of an asset are, also in a copy of the project, and whether they are unchanged."""

import os
import shutil
from pathlib import Path

import pytest

from textbook.assets.fetch import fetch
from textbook.assets.manifest import check_unchanged, list_files, locate
from textbook.errors import UserError
from textbook.files import read_json
from textbook.params import PathAsset

ASSET = Path("data/assets/reviews")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, as the working folder, with data in it and beside it."""
    for folder in ("project/toy", "beside"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "reviews.csv").write_text(f"text\n{folder}\n")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("path", ["toy", "toy/reviews.csv"])
def test_a_copied_project_reads_its_own_files(
    project: Path, monkeypatch: pytest.MonkeyPatch, path: str, absolute: bool
) -> None:
    fetch(PathAsset(path=str(project / path) if absolute else path), ASSET)
    copy = project.with_name("copy")
    shutil.copytree(project, copy)
    (project / "toy" / "reviews.csv").write_text("text\nchanged\n")
    monkeypatch.chdir(copy)
    assert locate(ASSET) == copy / path
    monkeypatch.chdir(project)
    with pytest.raises(UserError, match=r"toy/reviews\.csv: has changed since the asset reviews was fetched; run `dvc"):
        locate(ASSET)


def test_a_path_beside_the_project_is_stored_as_it_was_given(project: Path) -> None:
    fetch(PathAsset(path="../beside"), ASSET)
    assert read_json(ASSET / "asset.json")["location"] == "../../../../beside"
    assert locate(ASSET) == project.with_name("beside")
    fetch(PathAsset(path=str(project.with_name("beside"))), ASSET)
    assert read_json(ASSET / "asset.json")["location"] == str(project.with_name("beside"))


def test_a_project_whose_data_folder_is_a_link_finds_its_files(project: Path, tmp_path: Path) -> None:
    (tmp_path / "disk" / "deep").mkdir(parents=True)
    Path("data").symlink_to(tmp_path / "disk" / "deep")
    fetch(PathAsset(path="toy"), ASSET)
    assert locate(ASSET) == project / "toy"


def test_an_asset_may_be_linked_from_elsewhere(project: Path, tmp_path: Path) -> None:
    fetch(PathAsset(path="toy"), ASSET)
    (tmp_path / "link").symlink_to(ASSET.absolute())
    assert locate(tmp_path / "link") == project / "toy"


def test_new_and_missing_files_are_named(project: Path) -> None:
    fetch(PathAsset(path="toy"), ASSET)
    Path("toy/.notes").write_text("hidden files are no data")
    locate(ASSET)
    Path("toy/more.csv").write_text("text\n")
    with pytest.raises(UserError, match=r"toy/more\.csv: is new since the asset reviews was fetched; run `dvc repro`$"):
        locate(ASSET)
    Path("toy/reviews.csv").unlink()
    with pytest.raises(UserError, match=r"toy/reviews\.csv: does not exist, but the asset reviews refers to it"):
        locate(ASSET)


def test_after_a_clone_one_line_says_where_to_put_the_files(project: Path) -> None:
    fetch(PathAsset(path="toy/reviews.csv"), ASSET)
    Path("toy/reviews.csv").unlink()
    with pytest.raises(UserError) as error:
        locate(ASSET)
    assert str(error.value) == (
        f"{project}/toy/reviews.csv: does not exist, but the asset reviews refers to it; put it there, or set its path"
        " in params.yaml to where it is on this machine, and run `dvc repro`"
    )


def test_a_change_that_keeps_size_and_time_is_not_missed_by_another_process(project: Path) -> None:
    fetch(PathAsset(path="toy/reviews.csv"), ASSET)
    before = Path("toy/reviews.csv").stat()
    Path("toy/reviews.csv").write_text("text\nPROJECT/toy\n")
    os.utime("toy/reviews.csv", ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(UserError, match="has changed since"):
        locate(ASSET)


def test_a_link_keeps_its_name(project: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    Path("toy/reviews.csv").rename(tmp_path / "cache" / "0a1b")
    Path("toy/reviews.csv").symlink_to(tmp_path / "cache" / "0a1b")
    fetch(PathAsset(path="toy/reviews.csv"), ASSET)
    assert locate(ASSET) == project / "toy" / "reviews.csv"
    assert list(read_json(ASSET / "asset.json")["sha256"]) == ["reviews.csv"]


def test_single_files_can_be_checked(project: Path) -> None:
    Path("toy/b.csv").write_text("text\n")
    fetch(PathAsset(path="toy"), ASSET)
    root, hashes = list_files(ASSET)
    assert [Path(name).name for name in hashes] == ["b.csv", "reviews.csv"]
    Path("toy/b.csv").write_text("text\nnew\n")
    check_unchanged({str(root / "reviews.csv"): hashes[str(root / "reviews.csv")]}, ASSET)
    with pytest.raises(UserError, match=r"toy/b\.csv: has changed"):
        check_unchanged(hashes, ASSET)
