"""The files of a folder of data: hidden ones, links, and Git LFS pointers."""

import os
from pathlib import Path

import pytest

from textbook.assets.walk import check_content, walk_files
from textbook.errors import UserError


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("text\n")


def names(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in walk_files(folder)]


def test_hidden_files_are_no_data_but_a_hidden_folder_may_be_named(tmp_path: Path) -> None:
    folder = tmp_path / ".hidden" / "data"
    write(folder, "b.csv", "a/a.csv", ".ipynb_checkpoints/b-checkpoint.csv", "a/._a.csv", "__MACOSX/b.csv", ".DS_Store")
    assert names(folder) == ["a/a.csv", "b.csv"]


def test_links_are_followed_and_keep_their_names(tmp_path: Path) -> None:
    write(tmp_path, "cache/ab/cdef", "elsewhere/c.txt")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").symlink_to(tmp_path / "cache" / "ab" / "cdef")
    (tmp_path / "data" / "more").symlink_to(tmp_path / "elsewhere")
    assert names(tmp_path / "data") == ["a.csv", "more/c.txt"]
    assert walk_files(tmp_path / "data" / "a.csv") == [tmp_path / "data" / "a.csv"]


def test_a_broken_link_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.csv")
    (tmp_path / "b.csv").symlink_to(tmp_path / "gone" / "b.csv")
    with pytest.raises(
        UserError, match=rf"^{tmp_path}/b\.csv: is a link to {tmp_path}/gone/b\.csv, which does not exist$"
    ):
        walk_files(tmp_path)


def test_a_link_to_a_folder_that_contains_it_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a/a.csv")
    (tmp_path / "a" / "loop").symlink_to("..")
    with pytest.raises(UserError, match=r"a/loop: is a link to a folder that contains it, \.\.; remove it$"):
        walk_files(tmp_path)


def test_a_folder_that_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a/a.csv")
    scan = os.scandir

    def deny(path: str) -> object:  # root, who may run the tests, can read every folder
        if str(path).endswith("/a"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", deny)
    with pytest.raises(UserError, match=r"/a: Permission denied$"):
        walk_files(tmp_path)


def test_a_pointer_of_git_lfs_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "empty")
    (tmp_path / "empty").write_bytes(b"")
    check_content(tmp_path / "a.csv")
    check_content(tmp_path / "empty")
    (tmp_path / "a.csv").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(UserError, match=r"a\.csv: is a Git LFS pointer, not the file itself; run `git lfs pull`"):
        check_content(tmp_path / "a.csv")
