"""Exchanging paths and flushing them to disk."""

from pathlib import Path

import pytest

from textbook.disk import exchange, flush, flush_names


def test_two_folders_are_exchanged_or_left_alone(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    exchanged = exchange(tmp_path / "a", tmp_path / "b")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b" if exchanged else "a"]
    assert not exchange(tmp_path / "a", tmp_path / "missing")
    assert (tmp_path / "a").is_dir()


def test_files_and_folders_are_flushed_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path):
        flush(path)
    flush_names(tmp_path)
    with pytest.raises(FileNotFoundError):
        flush(tmp_path / "missing")
