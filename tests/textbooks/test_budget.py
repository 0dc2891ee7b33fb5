"""The k that fits a budget matches the sizes of the textbooks for all k."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textbook.corpus.merge import write_corpus
from textbook.corpus.shards import take_sentences
from textbook.errors import UserError
from textbook.params import Budget
from textbook.textbooks.budget import fit_budget, sentence_bytes
from textbook.textbooks.contextualized import Merged

TEXTS = [f"{'é' * (number % 7)} sentence number {number}" for number in range(40)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("budget")
    pq.write_table(pa.table({"sentence": TEXTS}), folder / "texts.parquet")
    (folder / "corpus").mkdir()
    write_corpus({"texts": folder / "texts.parquet"}, folder / "corpus", shard_rows=15)
    return folder / "corpus"


def merged(ranks: list[int | None], k: int) -> Merged:
    ids = np.array([number for number, rank in enumerate(ranks) if rank])
    rank = np.array([ranks[number] for number in ids], np.int32)
    return Merged(k, ids, rank, np.ones(len(ids), np.float32), np.zeros(len(ids), np.int32), len(ranks), 0, 0, 0)


def size(corpus: Path, ids: list[int], unit: str) -> int:
    texts = [text for part in take_sentences(corpus, np.array(ids, np.int64)) for text in part["sentence"].to_pylist()]
    return len(texts) if unit == "sentences" else len("".join(f"{text}\n" for text in texts).encode())


@settings(deadline=None)  # slow, because it accesses the disk
@given(
    ranks=st.lists(st.one_of(st.none(), st.integers(1, 9)), min_size=40, max_size=40).filter(any),
    unit=st.sampled_from(["sentences", "bytes"]),
    budget=st.integers(1, 1500),
)
def test_k_is_the_largest_that_fits_the_budget(corpus: Path, ranks: list[int | None], unit: str, budget: int) -> None:
    hits = merged(ranks, k=9)
    sizes = {k: size(corpus, hits.order(k).tolist(), unit) for k in range(1, 10)}
    fitting = [k for k in sizes if sizes[k] <= budget]
    if fitting:
        assert fit_budget(hits, Budget(unit=unit, size=budget), corpus) == max(fitting)
    else:
        message = f"size = {budget}: must be at least {sizes[1]} {unit}, the size at one sentence per anchor$"
        with pytest.raises(UserError, match=message):
            fit_budget(hits, Budget(unit=unit, size=budget), corpus)


def test_sentence_bytes_match_the_size_of_a_text_file(corpus: Path) -> None:
    sizes = [len(f"{text}\n".encode()) for text in TEXTS]
    assert sentence_bytes(corpus, np.arange(40)).tolist() == sizes
    some = np.array([0, 3, 14, 15, 16, 39])
    assert sentence_bytes(corpus, some).tolist() == [sizes[number] for number in some]
