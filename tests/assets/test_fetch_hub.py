"""Fetching assets from the Hugging Face hub."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from toy_hub import COMMIT, REPOSITORY, run_program, serve_hub

from textbook.assets.manifest import locate


@pytest.fixture
def hub() -> Iterator[str]:
    """The address of a local hub."""
    with serve_hub() as address:
        yield address


FETCH = """
import json, sys
from pathlib import Path
from textbook.assets.fetch import fetch
from textbook.errors import UserError
from textbook.params import HubAsset
try:
    fetch(HubAsset(**json.loads(sys.argv[2])), Path(sys.argv[1]))
except UserError as error:
    print(error)
"""


def fetch_from_hub(folder: Path, settings: dict[str, object], environment: dict[str, str]) -> str:
    """Fetch an asset; return the error message, which is empty on success."""
    return run_program(FETCH, folder, environment, json.dumps(settings)).strip()


def read_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ({}, ["config.json", "model.safetensors"]),
        ({"files": ["*"]}, ["config.json", "model.safetensors", "notes.md"]),
        ({"files": ["*.bin", "*.json"]}, ["config.json"]),
    ],
    ids=["by default", "everything", "pickles asked for"],
)
def test_a_repository_is_fetched_at_its_commit_without_pickles(
    tmp_path: Path, hub: str, patterns: dict[str, object], expected: list[str]
) -> None:
    settings = {"repo": "someone/encoder", "revision": COMMIT, **patterns}
    assert fetch_from_hub(tmp_path / "encoder", settings, {"HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0"}) == ""
    located = locate(tmp_path / "encoder")
    assert sorted(read_files(located)) == expected, "files of the hub client differ from one download to the next"
    assert all(content == REPOSITORY[name] for name, content in read_files(located).items())


@pytest.mark.parametrize("repo", ["someone/encoder", "no such/name/at all"], ids=["offline", "bad name"])
def test_a_repository_that_cannot_be_fetched_is_reported_in_one_line(tmp_path: Path, repo: str) -> None:
    settings: dict[str, object] = {"repo": repo, "revision": COMMIT}
    error = fetch_from_hub(tmp_path / "assets" / "encoder", settings, {"HF_HUB_OFFLINE": "1"})
    assert error.startswith(f"hub {repo}@{COMMIT}: ")
    assert "\n" not in error
    assert list((tmp_path / "assets").glob("encoder*")) == []


def test_an_unknown_commit_is_reported_in_one_line(tmp_path: Path, hub: str) -> None:
    settings: dict[str, object] = {"repo": "someone/encoder", "revision": "b" * 40}
    error = fetch_from_hub(tmp_path / "encoder", settings, {"HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0"})
    assert error.startswith(f"hub someone/encoder@{'b' * 40}: ")
    assert "\n" not in error


def test_patterns_that_match_no_file_are_reported_in_one_line(tmp_path: Path, hub: str) -> None:
    settings: dict[str, object] = {"repo": "someone/encoder", "revision": COMMIT, "files": ["*.bin", "*.csv"]}
    error = fetch_from_hub(tmp_path / "encoder", settings, {"HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0"})
    assert error == (
        f"hub someone/encoder@{COMMIT}: none of its files matches *.bin, *.csv (pickles are never fetched:"
        " *.bin, *.pkl, *.pickle, *.pt, *.pth, *.ckpt)"
    )
