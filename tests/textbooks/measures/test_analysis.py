"""The three tables of one task, from files like those of the pipeline."""

from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from textbook.retrieval.stop_words import read_stop_words
from textbook.textbooks.measures.analysis import TOP_PERCENTS, Analysis
from textbook.textbooks.measures.analysis import analyse as analyse_with

analyse = partial(analyse_with, stop_words=read_stop_words("en"))


def write(path: Path, **columns: list[object]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


@pytest.fixture
def corpora(tmp_path: Path) -> dict[str, Path]:
    near = [f"film {number} warm" for number in range(5)]
    far = [f"river {number} bridge" for number in range(15)]
    return {
        "task": write(tmp_path / "train.parquet", sentence=["warm film", "dull film"], label=[1, 0]),
        "contextualized": write(tmp_path / "contextualized.parquet", sentence=[*near, *far], rank=[1] * 20),
        "general": write(tmp_path / "general.parquet", sentence=far, source=["web"] * 15),
    }


def overlaps(analysis: Analysis, against: str) -> dict[tuple[str, int | None], float]:
    rows = [row for row in analysis.overlaps if row["against"] == against]
    return {(row["corpus"], row["top_percent"]): row["overlap"] for row in rows}


def test_sizes_of_the_corpora(corpora: dict[str, Path]) -> None:
    task, contextualized, general = analyse("mood", corpora, k=5).sizes
    assert task == {
        "task": "mood",
        "corpus": "task",
        "cases": 2,
        "k": None,
        "text_bytes": 20,
        "file_bytes": corpora["task"].stat().st_size,
    }
    assert (contextualized["cases"], contextualized["k"]) == (20, 5)
    assert (general["cases"], general["k"]) == (15, None)


def test_overlap_decreases_from_the_most_relevant_part_to_the_general_corpus(corpora: dict[str, Path]) -> None:
    percents = overlaps(analyse("mood", corpora, k=5, top_words=3), "task")
    assert percents["task", None] == 100
    assert percents["contextualized", 20] == pytest.approx(100 * 2 / 3, abs=0.01)  # film and warm of {film, warm, dull}
    by_percent = [percents["contextualized", percent] for percent in TOP_PERCENTS]
    assert by_percent == sorted(by_percent, reverse=True)
    assert percents["general", None] == 0
    assert overlaps(analyse("mood", corpora, k=5), "general")["general", None] == 100


def test_diversity_is_measured_at_the_size_of_the_smallest_corpus(corpora: dict[str, Path]) -> None:
    rows = {row["corpus"]: row for row in analyse("mood", corpora, k=5).diversity}
    assert list(rows) == ["task", "contextualized", "general"]
    assert {(row["matched_to"], row["words"]) for row in rows.values()} == {("task", 4)}
    assert (rows["task"]["distinct_1"], rows["task"]["distinct_2"]) == (75, 100)
    # two sentences of three words that differ only in the number
    assert (rows["general"]["distinct_1"], rows["general"]["distinct_2"]) == (66.67, 100)


def test_a_second_group_has_the_augmented_corpus_but_not_the_task(corpora: dict[str, Path], tmp_path: Path) -> None:
    pairs = write(tmp_path / "augmented.parquet", sentence=["warm film"] * 3, sentence2=["slow film"] * 3)
    analysis = analyse("mood", {**corpora, "augmented": pairs}, k=5)
    groups = [(row["matched_to"], row["corpus"], row["words"]) for row in analysis.diversity]
    assert [group for group in groups if group[0] == "augmented"] == [
        ("augmented", "contextualized", 12),
        ("augmented", "general", 12),
        ("augmented", "augmented", 12),
    ]
    assert ("task", "augmented", 4) in groups
    assert overlaps(analysis, "augmented")["task", None] == pytest.approx(100 * 2 / 3, abs=0.01)


def test_pairs_are_compared_with_those_of_the_task(corpora: dict[str, Path], tmp_path: Path) -> None:
    task = write(tmp_path / "pairs.parquet", sentence1=["a film", "a"], sentence2=["a film", "a film"], label=[1, 0])
    pairs = write(tmp_path / "augmented.parquet", sentence=["a film", "b"] * 2, sentence2=["a film", "c"] * 2)
    columns = ("corpus", "pair_overlap_p10", "pair_overlap_p50", "pair_overlap_p90", "pair_overlap_distance")
    rows = analyse("mood", {**corpora, "task": task, "augmented": pairs}, k=5).diversity
    assert {tuple(row[name] for name in columns) for row in rows} == {
        ("task", 0.55, 0.75, 0.95, 0),
        ("augmented", 0, 0.5, 1, 0.25),
        ("contextualized", None, None, None, None),
        ("general", None, None, None, None),
    }


def test_a_missing_corpus_has_no_rows(corpora: dict[str, Path]) -> None:
    analysis = analyse("mood", {"task": corpora["task"]}, k=None)
    assert [row["corpus"] for row in analysis.sizes] == ["task"]
    assert [row["corpus"] for row in analysis.diversity] == ["task"]
    assert [(row["corpus"], row["against"]) for row in analysis.overlaps] == [("task", "task")]


def test_the_same_seed_gives_the_same_tables(corpora: dict[str, Path]) -> None:
    assert analyse("mood", corpora, k=5, seed=1) == analyse("mood", corpora, k=5, seed=1)
