"""Files that are whole or not there, and their hashes."""

import hashlib
import json
from pathlib import Path

import pytest

from textbook.files import PARTIAL, hash_folder, read_csv, read_json, remove, sha256, write_aside, write_csv, write_json


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_only_when_the_block_has_ended(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    with write_aside(target) as aside:
        aside.write_text("half")
        assert aside.name == target.name, "writers that look at the suffix must see the real one"
        assert not target.exists(), "the file was there before it was whole"
    assert target.read_text() == "half"
    assert names(target.parent) == ["a.txt"], "something was left beside the file"


def test_an_exception_leaves_the_old_file_and_nothing_aside(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def crash() -> None:
        with write_aside(target) as aside:
            aside.write_text("half")
            raise RuntimeError("crash")

    with pytest.raises(RuntimeError, match="crash"):
        crash()
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_folder_replaces_the_old_one_whole(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    for name in ("old", "new"):
        with write_aside(target) as aside:
            aside.mkdir()
            (aside / name).write_text(name)
    assert names(target) == ["new"], "files of the old folder survived"


def test_what_a_killed_process_left_aside_is_cleared(tmp_path: Path) -> None:
    stale = tmp_path / PARTIAL / "folder"
    stale.mkdir(parents=True)
    (stale / "rubbish").write_text("from before")
    with write_aside(tmp_path / "folder") as aside:
        aside.mkdir()
        (aside / "fresh").write_text("now")
    assert names(tmp_path / "folder") == ["fresh"]


def test_two_files_can_be_in_the_making_beside_each_other(tmp_path: Path) -> None:
    with write_aside(tmp_path / "a") as a:
        with write_aside(tmp_path / "b") as b:
            b.write_text("b")
        assert a.parent.is_dir(), "finishing b took away the place where a is written"
        a.write_text("a")
    assert names(tmp_path) == ["a", "b"]


def test_remove_takes_files_folders_and_links_but_not_what_a_link_points_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inside").write_text("x")
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    for name in ("file", "folder", "link", "never there"):
        remove(tmp_path / name)
    assert names(tmp_path) == ["kept"]


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc" * 100_000)
    assert sha256(tmp_path / "a") == hashlib.sha256(b"abc" * 100_000).hexdigest()


def write_tree(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


TREE = {"a": "1", "b/c": "2"}


def test_folders_with_the_same_files_have_the_same_hash(tmp_path: Path) -> None:
    first = write_tree(tmp_path / "first", TREE)
    second = write_tree(tmp_path / "second", dict(reversed(TREE.items())))
    assert hash_folder(first) == hash_folder(second)


@pytest.mark.parametrize(
    "other",
    [{"a": "1", "b/c": "3"}, {"a": "1", "b/d": "2"}, {"a": "1", "c": "2"}, {"a": "2", "b/c": "1"}, {"a": "1"}],
    ids=["content", "name", "folder", "contents swapped", "file gone"],
)
def test_any_change_changes_the_hash_of_a_folder(tmp_path: Path, other: dict[str, str]) -> None:
    assert hash_folder(write_tree(tmp_path / "a", TREE)) != hash_folder(write_tree(tmp_path / "b", other))


def test_csv_comes_back_as_lines_of_text(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [{"name": 'ä, "b"', "k": None}, {"name": "c\nd", "k": 1.5}])
    assert read_csv(tmp_path / "a.csv") == [["name", "k"], ['ä, "b"', ""], ["c\nd", "1.5"]]
    assert (tmp_path / "a.csv").read_bytes().startswith(b"name,k\n")


def test_json_is_readable_and_comes_back(tmp_path: Path) -> None:
    value = {"sätze": [1, 2.5, None, True], "leer": {}}
    write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "sätze" in text, "letters beyond ASCII should not be escaped"
    assert text.endswith("}\n")
    assert read_json(tmp_path / "a.json") == json.loads(text) == value
