"""A disk that fills up while a corpus or its index is written ends in one line, whichever file is being written."""

import random
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from textbook.corpus.duplicates import find_duplicates
from textbook.corpus.merge import write_corpus
from textbook.corpus.near_duplicates import find_near_duplicates
from textbook.corpus.sentences import sentence_shards, write_sentences
from textbook.corpus.shards import read_shards, take_sentences
from textbook.corpus.stretches import cut_shards
from textbook.disk import is_disk_full
from textbook.params import Corpus, Index, NearDuplicates, Source
from textbook.retrieval.engines import build_index
from textbook.tables.files import Part

SENTENCES = 2_000
LIMIT = 10_000  # bytes per file
BOUNDS = Corpus(sources={}, language="en", min_words=1, max_words=64, max_characters=2000, near_duplicates=None)
NEAR = NearDuplicates(threshold=0.8, words=2, hashes=64)


def index(folder: Path) -> None:
    settings = Index(engine="bm25s", k1=1.2, b=0.75)
    build_index(read_shards(folder / "corpus"), folder / "index", settings, "hash", kept=[folder / "kept"])


def split(folder: Path, name: str) -> None:
    write_sentences({Part(str(folder / "text.txt")): "hash"}, folder / name, Source(asset="web"), BOUNDS, "code")


WRITERS: dict[str, Callable[[Path], object]] = {
    "sentences": lambda folder: split(folder, "again"),
    "hashes": lambda folder: find_duplicates(cut_shards(sentence_shards(folder / "sentences")), folder / "work"),
    "keys": lambda folder: find_near_duplicates(
        cut_shards(sentence_shards(folder / "sentences")), [], folder / "work", NEAR
    ),
    "corpus": lambda folder: write_corpus({"web": folder / "sentences"}, folder / "corpus again"),
    "index": index,
    "rows": lambda folder: list(take_sentences(folder / "corpus", np.arange(SENTENCES), folder)),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_is_told_as_such(writer: str, tmp_path: Path) -> None:
    rng = random.Random(0)
    lines = (" ".join(str(rng.random()) for _ in range(3)) for _ in range(SENTENCES))
    (tmp_path / "text.txt").write_text("\n".join(lines))
    split(tmp_path, "sentences")
    write_corpus({"web": tmp_path / "sentences"}, tmp_path / "corpus")
    signals, before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, before[1]))
    try:
        with pytest.raises(OSError) as error:  # noqa: PT011 -- the check below is exact
            WRITERS[writer](tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, signals)
    assert is_disk_full(error.value)
    WRITERS[writer](tmp_path)  # as soon as there is room
