"""Measuring how alike the texts of pairs are."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from textbook.textbooks.pairs import likeness as module
from textbook.textbooks.pairs.likeness import likeness, likeness_of_book, pair_figures


@pytest.mark.parametrize(
    ("first", "second", "overlap", "length", "order"),
    [
        ("A warm film.", "a warm film", 1, 0, 1),
        ("a warm film", "river bridge", 0, np.log(2 / 3), 1),
        ("a b c d", "c d a b", 1, 0, 0.5),
        ("a b c d", "d c b a", 1, 0, 0.25),
        ("a b c d", "b x d", 2 / 5, np.log(3 / 4), 1),
        ("the film the plot", "the plot the film the", 1, np.log(5 / 4), 2 / 3),
        ("a", "a b b b", 1 / 2, np.log(4), 1),
        ("Ärger İyi’s", "ärger", 1 / 2, np.log(1 / 2), 1),
        ("!!!", "...", 0, 0, 1),
    ],
)
def test_overlap_lengths_and_order(first: str, second: str, overlap: float, length: float, order: float) -> None:
    measured = likeness(["x y", first, "y"], ["y", second, "y"])  # scratch memory is clean between pairs
    assert measured.overlap.tolist() == pytest.approx([0.5, overlap, 1])
    assert measured.length[1] == pytest.approx(length)
    assert measured.order[1] == pytest.approx(order)


def test_of_a_large_book_evenly_spaced_pairs_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [" ".join("ab"[: 1 + number % 2]) for number in range(1000)]
    pq.write_table(pa.table({"sentence": texts, "sentence2": ["a"] * 1000}), tmp_path / "a.parquet", row_group_size=7)
    every = likeness_of_book(tmp_path / "a.parquet")
    assert every is not None
    assert len(every.overlap) == 1000
    monkeypatch.setattr(module, "MEASURED_PAIRS", 334)
    some = likeness_of_book(tmp_path / "a.parquet")
    assert some is not None
    assert some.overlap.tolist() == [1 if number % 2 == 0 else 0.5 for number in range(0, 1000, 3)]


def test_figures_have_both_distributions_their_distances_and_how_pairs_were_made(tmp_path: Path) -> None:
    task = pa.table({"sentence1": ["a b"] * 4, "sentence2": ["a b", "a c", "a", "c d"], "label": [0] * 4})
    book = pa.table({"sentence": ["a b", "c d"], "sentence2": ["a b", "a b"], "made": ["real", "part"]})
    pq.write_table(task, tmp_path / "task.parquet")
    pq.write_table(book, tmp_path / "book.parquet")
    figures = pair_figures(tmp_path / "task.parquet", tmp_path / "book.parquet")
    assert (figures["pairs"], figures["pairs_real"], figures["pairs_part"]) == (2, 1, 1)
    assert (figures["task_pair_overlap_p50"], figures["pair_overlap_p50"]) == (pytest.approx(0.417, abs=0.001), 0.5)
    # quantiles of the task 0, 1/3, 1/2, 1, and of the book 0, 0, 1, 1
    assert figures["pair_overlap_distance"] == pytest.approx((1 / 3 + 1 / 2) / 4, abs=1e-4)
    assert figures["pair_overlap_ks"] == 0.25
    assert figures["pair_length_distance"] == pytest.approx(np.log(2) / 4, abs=1e-4)
    assert figures["pair_order_distance"] == 0
