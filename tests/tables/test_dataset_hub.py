"""Data sets of the hub, from a local hub: pinned, without the user's home, and refused in a line."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from toy_hub import COMMIT, TEXTS, run_program, serve_hub

from textbook.assets.manifest import locate

FETCH = """
import json, sys
from pathlib import Path
from textbook.errors import UserError
from textbook.params import DatasetAsset, Source
from textbook.tables.dataset_fetch import fetch_dataset
from textbook.tables.dataset_parts import cut_dataset, read_dataset
folder, results = Path(sys.argv[1]), []
for settings in json.loads(sys.argv[2]):
    asset = DatasetAsset(**settings)
    try:
        if not (folder / "asset.json").exists():
            results.append(fetch_dataset(asset, folder))
        if asset.stream:
            blocks = [list(read_dataset(part, ["text"], Source(asset="d"))) for part in cut_dataset(folder)]
            results[-1:] = [[[text for block in part for text in block.columns["text"]] for part in blocks]]
    except UserError as error:
        results.append(str(error))
print(json.dumps(results))
"""


@pytest.fixture
def online() -> Iterator[dict[str, str]]:
    """The environment in which a local hub is the hub."""
    with serve_hub() as address:
        yield {"HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0"}


def fetch(folder: Path, environment: dict[str, str], *settings: dict[str, object]) -> list[object]:
    """Fetch and, if it is streamed, read a data set once for each settings.

    Returns:
        For each the numbers of rows, the texts of each part, or the error message.
    """
    assets = [{"name": "someone/news", "revision": COMMIT, **more} for more in settings]
    results: list[object] = json.loads(run_program(FETCH, folder, environment, json.dumps(assets)))
    return results


def test_a_data_set_is_fetched_at_its_commit(tmp_path: Path, online: dict[str, str]) -> None:
    assert fetch(tmp_path / "news", online, {"config": "news"}) == [{"train": len(TEXTS), "test": 1}]
    files = locate(tmp_path / "news")
    assert pq.read_table(files / "train.parquet")["text"].to_pylist() == TEXTS
    assert pq.read_table(files / "test.parquet")["text"].to_pylist() == TEXTS[:1]
    assert not (tmp_path / "home").exists(), "something was written to the user's home"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["news"]


@pytest.mark.parametrize(
    ("settings", "parts"),
    [({"config": "news", "splits": ["train"]}, [TEXTS[:1_000], TEXTS[1_000:]]), ({"config": "old"}, [TEXTS[:1_000]])],
)
def test_a_data_set_is_streamed_by_its_files(
    tmp_path: Path, online: dict[str, str], settings: dict[str, object], parts: list[list[str]]
) -> None:
    assert fetch(tmp_path / "news", online, {**settings, "stream": True}) == [parts]
    assert not (tmp_path / "home").exists()
    assert [path.name for path in (tmp_path / "news").iterdir()] == ["asset.json"], "rows were stored"


def test_what_the_hub_does_not_have_is_said_in_a_line(tmp_path: Path, online: dict[str, str]) -> None:
    wrong: dict[str, dict[str, object]] = {
        ".config = 'olds': must be one of news, old": {"config": "olds"},
        ".config is missing: hf://datasets/someone/news has the configurations news, old": {},
        ".splits = ['dev']: 'dev' is not one of train, test": {"config": "news", "splits": ["dev"]},
        ": Dataset 'someone/olds' doesn't exist on the Hub or cannot be accessed.": {"name": "someone/olds"},
        f": Revision '{'b' * 40}' doesn't exist for dataset 'someone/news' on the Hub.": {"revision": "b" * 40},
    }
    assert fetch(tmp_path / "news", online, *wrong.values()) == [f"assets.dataset.news{problem}" for problem in wrong]


def test_without_a_network_a_line_says_so(tmp_path: Path, online: dict[str, str]) -> None:
    offline = {"HF_HUB_OFFLINE": "1"}
    streamed: dict[str, object] = {"config": "news", "stream": True}
    (problem,) = fetch(tmp_path / "a", offline, {"config": "news"})
    assert str(problem).startswith("assets.dataset.a: Couldn't reach 'someone/news' on the Hub")
    fetch(tmp_path / "news", online, streamed)
    (problem,) = fetch(tmp_path / "news", offline, streamed)
    assert str(problem).startswith("assets.dataset.news: Couldn't reach 'someone/news' on the Hub")
