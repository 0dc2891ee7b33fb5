"""Hashes that are remembered while files do not change."""

import os
from pathlib import Path

import pytest

from textbook.assets import memo
from textbook.assets.memo import hash_changed_files
from textbook.files import sha256


def test_only_changed_files_are_hashed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "data"
    (folder / "b").mkdir(parents=True)
    (folder / "a.csv").write_text("a")
    (folder / "b" / "b.csv").write_text("b")
    (folder / ".hidden").write_text("c")
    hashed: list[str] = []
    monkeypatch.setattr(memo, "sha256", lambda path: hashed.append(path.name) or sha256(path))
    first = hash_changed_files(folder, tmp_path / "memo.json")
    assert list(first) == ["a.csv", "b/b.csv"]
    assert hash_changed_files(folder, tmp_path / "memo.json") == first
    assert hashed == ["a.csv", "b.csv"]
    (folder / "a.csv").write_text("x")
    os.utime(folder / "a.csv", ns=(0, 0))
    changed = hash_changed_files(folder, tmp_path / "memo.json")
    assert changed == {**first, "a.csv": sha256(folder / "a.csv")} != first
    assert hashed == ["a.csv", "b.csv", "a.csv"]
    (folder / "a.csv").unlink()
    assert list(hash_changed_files(folder, tmp_path / "memo.json")) == ["b/b.csv"]
