"""The index of a shard: its size, its independence of the other shards, and resuming after a kill."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from textbook.errors import UserError
from textbook.files import hash_folder
from textbook.params import Index
from textbook.retrieval.engines import build_index, open_index
from textbook.retrieval.postings import index_shard, open_shard, read_info

SETTINGS = Index(engine="bm25s", k1=1.2, b=0.75)


def test_a_shard_has_the_counts_of_its_words_and_the_lengths_of_its_sentences(tmp_path: Path) -> None:
    index_shard(["the plot", "The plot, the plot!", "...", "Über alles"], tmp_path / "shard")
    shard, info = open_shard(tmp_path / "shard"), read_info(tmp_path / "shard", first=7)
    assert shard.words.to_pylist() == ["alles", "plot", "the", "über"]
    assert shard.frequencies.tolist() == [1, 2, 2, 1]
    assert shard.lengths.tolist() == [2, 4, 0, 2]
    assert (info.first, info.sentences, info.tokens) == (7, 4, 8)
    starts, stops = shard.find(pa.array(["the", "unknown", "plot"]))
    postings = [shard.postings[start:stop].tolist() for start, stop in zip(starts, stops, strict=True)]
    assert postings == [[0 << 8 | 1, 1 << 8 | 2], [], [0 << 8 | 1, 1 << 8 | 2]]


@pytest.mark.parametrize(("repeats", "bits"), [(255, 8), (256, 32)])
def test_a_count_that_does_not_fit_makes_postings_wider(tmp_path: Path, repeats: int, bits: int) -> None:
    index_shard(["plot", "film " * repeats], tmp_path / "shard")
    shard = open_shard(tmp_path / "shard")
    assert shard.count_bits == bits
    assert shard.postings.tolist() == [1 << bits | repeats, 0 << bits | 1]


def test_a_posting_takes_at_most_five_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sentences = [" ".join(f"w{number}" for number in rng.zipf(1.3, 18) % 3_000) for _ in range(20_000)]
    index_shard(sentences, tmp_path / "shard")
    size = sum(path.stat().st_size for path in (tmp_path / "shard").iterdir())
    assert size / len(open_shard(tmp_path / "shard").postings) < 5


def test_a_shard_does_not_depend_on_the_others(tmp_path: Path) -> None:
    """So a corpus that grows leaves the index of its first shards as it is."""
    shards = [["a plot", "a film"], ["a new plot"], ["words never seen before"]]
    for count in (1, 3):
        build_index(shards[:count], tmp_path / str(count), SETTINGS, "hash")
    assert hash_folder(tmp_path / "1" / "000000") == hash_folder(tmp_path / "3" / "000000")


class Shard:
    """A shard that counts how often it is read, and breaks if it is told to."""

    def __init__(self, *sentences: str) -> None:
        self.sentences, self.reads, self.broken = sentences, 0, False

    def __iter__(self) -> Iterator[str]:
        self.reads += 1
        if self.broken:
            raise UserError("the disk is full")
        yield from self.sentences


def test_a_build_goes_on_with_the_missing_shards(tmp_path: Path) -> None:
    shards = [Shard("one"), Shard("two words"), Shard("three more words")]
    shards[1].broken = True
    kept, target = [tmp_path / "kept" / name for name in "abc"], tmp_path / "index"
    with pytest.raises(UserError, match="the disk is full"):
        build_index(shards, target, SETTINGS, "hash", kept=kept)
    assert not target.exists()
    shards[1].broken = False
    build_index(shards, target, SETTINGS, "hash", kept=kept)
    assert [shard.reads for shard in shards] == [1, 2, 1]
    build_index([list(shard.sentences) for shard in shards], tmp_path / "at once", SETTINGS, "hash")
    assert hash_folder(target) == hash_folder(tmp_path / "at once")


def cut_in_half(written: bytes) -> bytes:
    return written[: len(written) // 2]


def turn_one_bit(written: bytes) -> bytes:
    return written[:-9] + bytes([written[-9] ^ 1]) + written[-8:]


@pytest.mark.parametrize("name", ["words.arrow", "postings.npy", "lengths.npy", "shard.json"])
@pytest.mark.parametrize("damage", [cut_in_half, turn_one_bit])
def test_a_damaged_index_is_one_line(tmp_path: Path, name: str, damage: Callable[[bytes], bytes]) -> None:
    build_index([["some words", "more words"]], tmp_path / "index", SETTINGS, "hash")
    path = tmp_path / "index" / "000000" / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=r"is damaged \(.*\); run `dvc repro --force --single-item index`$"):
        open_index(tmp_path / "index", "hash").search([["words"]], 2)
