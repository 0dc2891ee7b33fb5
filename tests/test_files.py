"""Atomic writes, hashes, CSV and JSON files."""

import hashlib
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from textbook.errors import UserError
from textbook.files import (
    PARTIAL,
    atomic_write,
    hash_folder,
    is_hidden,
    read_csv,
    read_json,
    remove,
    sha256,
    write_csv,
    write_json,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_only_at_the_end_of_the_block(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    with atomic_write(target) as temporary:
        temporary.write_text("half")
        assert temporary.name == target.name, "some writers depend on the suffix"
        assert not target.exists(), "the file appeared before it was complete"
    assert target.read_text() == "half"
    assert names(target.parent) == ["a.txt"], "a temporary file was left behind"


def test_an_exception_keeps_the_old_file_and_removes_the_temporary_one(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def crash() -> None:
        with atomic_write(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError("crash")

    with pytest.raises(RuntimeError, match="crash"):
        crash()
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_folder_replaces_the_old_one_completely(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    for name in ("old", "new"):
        with atomic_write(target) as temporary:
            temporary.mkdir()
            (temporary / name).write_text(name)
    assert names(target) == ["new"], "files of the old folder were kept"


def test_temporary_files_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    stale = tmp_path / PARTIAL / "folder"
    stale.mkdir(parents=True)
    (stale / "old").write_text("old")
    with atomic_write(tmp_path / "folder") as temporary:
        temporary.mkdir()
        (temporary / "new").write_text("new")
    assert names(tmp_path / "folder") == ["new"]


def write(target: Path, text: str) -> None:
    """Write a file, or a folder with two files."""
    with atomic_write(target) as temporary:
        if target.suffix:
            temporary.write_text(text)
        else:
            write_tree(temporary, {"a": text, "deep/b": text})


def content(target: Path) -> str | dict[str, str]:
    if target.is_file():
        return target.read_text()
    return {str(path.relative_to(target)): path.read_text() for path in target.rglob("*") if path.is_file()}


def killed_at(event: int, work: Callable[[], None]) -> bool:
    """Do `work` in a process that dies before its n-th operation on files; whether it died."""
    child = os.fork()
    if child == 0:
        left = event

        def die(name: str, _: object) -> None:
            nonlocal left
            left -= name in ("open", "os.listdir", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.scandir")
            if left < 0:
                os._exit(9)

        sys.addaudithook(die)
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize("exchanges", [True, False], ids=["exchange", "aside"])
@pytest.mark.parametrize("name", ["folder", "file.txt"])
def test_a_kill_at_any_point_leaves_the_old_content_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, exchanges: bool
) -> None:
    if not exchanges:  # as on a file system that cannot
        monkeypatch.setattr("textbook.files.exchange", lambda first, second: False)
    versions = []
    for text in ("old", "new"):
        write(tmp_path / text / name, text)
        versions.append(content(tmp_path / text / name))
    target, kills, seen = tmp_path / name, 0, []
    while True:
        write(target, "old")
        if not killed_at(kills, lambda: write(target, "new")):
            break
        if not exchanges:  # the next writer puts back what was aside, even if it fails itself
            with suppress(RuntimeError), atomic_write(target):
                raise RuntimeError
        assert content(target) in versions, f"killed before operation {kills}"
        seen.append(versions.index(content(target)))
        kills += 1
    assert kills > 5
    assert seen == sorted(seen)
    assert set(seen) == {0, 1}
    assert content(target) == versions[1]


def test_a_failed_rename_keeps_the_old_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "folder"
    write(target, "old")
    rename, calls = Path.rename, []

    def fail_second(path: Path, to: Path) -> Path:
        calls.append(path)
        if len(calls) == 2:
            raise OSError("no")
        return rename(path, to)

    monkeypatch.setattr("textbook.files.exchange", lambda first, second: False)
    monkeypatch.setattr(Path, "rename", fail_second)
    with pytest.raises(OSError, match="no"):
        write(target, "new")
    assert content(target) == {"a": "old", "deep/b": "old"}
    assert names(tmp_path) == ["folder"]


@pytest.mark.parametrize("first", ["file", "folder", "link"])
@pytest.mark.parametrize("then", ["file", "folder"])
def test_a_file_a_folder_or_a_link_is_replaced_by_either(tmp_path: Path, first: str, then: str) -> None:
    target, linked = tmp_path / "target", write_tree(tmp_path / "linked", {"kept": ""})
    {
        "file": lambda: target.write_text("old"),
        "folder": lambda: write_tree(target, {"a": "old"}),
        "link": lambda: target.symlink_to(linked),
    }[first]()
    with atomic_write(target) as temporary:
        temporary.write_text("new") if then == "file" else write_tree(temporary, {"a": "new"})
    assert content(target) == ("new" if then == "file" else {"a": "new"})
    assert not target.is_symlink()
    assert names(tmp_path) == ["linked", "target"]
    assert names(linked) == ["kept"]


def test_content_and_names_are_on_the_disk_before_the_block_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[tuple[str, bool]] = []
    for name in ("flush", "flush_names"):
        original = getattr(sys.modules["textbook.disk"], name)

        def record(path: Path, original: Callable[[Path], None] = original, name: str = name) -> None:
            flushed.append((name, (tmp_path / "a.txt").exists()))
            original(path)

        monkeypatch.setattr(f"textbook.files.{name}", record)
    write(tmp_path / "a.txt", "x")
    assert flushed == [("flush", False), ("flush_names", True)]


def test_two_files_can_be_written_at_the_same_time(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a") as a:
        with atomic_write(tmp_path / "b") as b:
            b.write_text("b")
        assert a.parent.is_dir(), "finishing b removed the temporary folder of a"
        a.write_text("a")
    assert names(tmp_path) == ["a", "b"]


def test_remove_deletes_files_folders_and_links_but_not_the_targets_of_links(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inside").write_text("x")
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    for name in ("file", "folder", "link", "missing"):
        remove(tmp_path / name)
    assert names(tmp_path) == ["kept"]


@pytest.mark.parametrize(
    ("path", "hidden"),
    [
        ("a.csv", False),
        ("b/a.csv", False),
        ("b/a..csv", False),
        ("../a.csv", False),
        (".a.csv", True),
        ("._a.csv", True),
        ("b/.ipynb_checkpoints/a.csv", True),
        ("__MACOSX/a.csv", True),
        ("b/.DS_Store", True),
        (".git/a.csv", True),
        (".dvc/cache/a.csv", True),
        ("Thumbs.db", True),
    ],
)
def test_hidden_files_are_recognised(path: str, hidden: bool) -> None:
    assert is_hidden(Path(path)) == hidden


def test_sha256_hashes_the_bytes(tmp_path: Path) -> None:
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
    ids=["content", "name", "folder", "contents swapped", "file missing"],
)
def test_any_change_changes_the_hash_of_a_folder(tmp_path: Path, other: dict[str, str]) -> None:
    assert hash_folder(write_tree(tmp_path / "a", TREE)) != hash_folder(write_tree(tmp_path / "b", other))


def test_csv_is_read_back_as_lines_of_text(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [{"name": 'ä, "b"', "k": None}, {"name": "c\nd", "k": 1.5}])
    assert read_csv(tmp_path / "a.csv") == [["name", "k"], ['ä, "b"', ""], ["c\nd", "1.5"]]
    assert (tmp_path / "a.csv").read_bytes().startswith(b"name,k\n")


def test_json_is_readable_and_is_read_back(tmp_path: Path) -> None:
    value = {"sätze": [1, 2.5, None, True], "leer": {}}
    write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "sätze" in text, "letters beyond ASCII were escaped"
    assert text.endswith("}\n")
    assert read_json(tmp_path / "a.json") == json.loads(text) == value


@pytest.mark.parametrize("damaged", [b'{"a": 1', b"\xff\xfe", b""])
def test_damaged_json_is_refused_by_name(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / "a.json").write_bytes(damaged)
    with pytest.raises(UserError, match=r"a\.json: is not valid JSON: "):
        read_json(tmp_path / "a.json")
