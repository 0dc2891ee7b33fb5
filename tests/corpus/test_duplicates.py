"""Finding repeated sentences, however the input is divided."""

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from textbook.corpus.duplicates import _canonical_bytes, find_duplicates
from textbook.corpus.stretches import Stretch, count_places, cut_shards, places_in
from textbook.words import canonical

shards_of_text = st.lists(st.lists(st.text("aA éÉ\u0301\n", max_size=2)), max_size=4)


def write_shards(folder: Path, shards: list[list[str]], group_rows: int) -> list[Path]:
    paths = [folder / f"{number}.parquet" for number in range(len(shards))]
    for path, sentences in zip(paths, shards, strict=True):
        pq.write_table(pa.table({"sentence": pa.array(sentences, pa.string())}), path, row_group_size=group_rows)
    return paths


def repeats(sentences: list[str]) -> list[int]:
    """The places of sentences that are the same text as an earlier one, by a plain search."""
    forms = [canonical(sentence) for sentence in sentences]
    return [place for place, form in enumerate(forms) if form in forms[:place]]


@settings(max_examples=60, deadline=None)
@given(shards_of_text, st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.data())
def test_all_but_the_first_of_equal_sentences_are_found(
    shards: list[list[str]], group_rows: int, stretch_rows: int, bucket_rows: int, data: st.DataObject
) -> None:
    sentences = [text for shard in shards for text in shard]
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, len(sentences))] * 2)))
    with TemporaryDirectory() as name:
        stretches = cut_shards(write_shards(Path(name), shards, group_rows), stretch_rows)
        files = find_duplicates(stretches, Path(name) / "work", bucket_rows)
        places = places_in(files, 0, len(sentences)).tolist()
        between = places_in(files, start, stop).tolist()
        counts = count_places(files, np.array([0, start, stop, len(sentences)])).tolist()
    expected = repeats(sentences)
    assert places == expected
    assert between == [place for place in expected if start <= place < stop]
    assert counts[1] == len(between)
    assert sum(counts) == len(expected)
    assert len(files) == max(1, -(-len(sentences) // bucket_rows))


@settings(deadline=None)
@given(st.lists(st.text() | st.text("aB \n\x1c\x7f\u00a0éÉİ"), max_size=5), st.integers(0, 3))
def test_sentences_are_compared_by_their_canonical_form(texts: list[str], start: int) -> None:
    column = pa.array(texts, pa.string())[start:]
    assert _canonical_bytes(column) == [canonical(text).encode() for text in texts[start:]]


@settings(max_examples=60, deadline=None)
@given(shards_of_text, st.integers(1, 4), st.integers(1, 5))
def test_stretches_cover_the_input_in_order(shards: list[list[str]], group_rows: int, stretch_rows: int) -> None:
    with TemporaryDirectory() as name:
        stretches = cut_shards(write_shards(Path(name), shards, group_rows), stretch_rows)
        contents = [stretch.read().to_pylist() for stretch in stretches]
    assert [text for content in contents for text in content] == [text for shard in shards for text in shard]
    assert [len(content) for content in contents] == [stretch.rows for stretch in stretches]
    assert all(before.place + before.rows == after.place for before, after in pairwise(stretches))
    assert all(0 < stretch.rows < stretch_rows + group_rows for stretch in stretches)


def test_finished_files_of_a_killed_run_are_reused(tmp_path: Path) -> None:
    stretches = cut_shards(write_shards(tmp_path, [["a", "b"], ["b", "c"], ["a"]], 2))
    whole = find_duplicates(stretches, tmp_path / "whole", bucket_rows=2)
    (tmp_path / "killed").mkdir()
    finished = ["hashes-000001.npy", "duplicates-000000.npy"]
    for name in finished:
        (tmp_path / "killed" / name).write_bytes((tmp_path / "whole" / name).read_bytes())
    before = [(tmp_path / "killed" / name).stat().st_mtime_ns for name in finished]
    files = find_duplicates(stretches, tmp_path / "killed", bucket_rows=2)
    assert [(tmp_path / "killed" / name).stat().st_mtime_ns for name in finished] == before
    assert [path.read_bytes() for path in files] == [path.read_bytes() for path in whole]


def test_hashes_take_24_bytes_a_sentence_on_disk(tmp_path: Path) -> None:
    sentences = [f"A sentence of some length that has the number {number}." for number in range(10_000)]
    stretches = cut_shards(write_shards(tmp_path, [sentences], 1_000), 2_500)
    find_duplicates(stretches, tmp_path / "work")
    sizes = [path.stat().st_size for path in sorted((tmp_path / "work").glob("hashes-*"))]
    assert len(sizes) == 4
    assert sum(sizes) == 24 * len(sentences) + 128 * len(sizes), (
        "the files have more than hashes, places and NumPy's headers"
    )


def test_an_empty_input_has_no_duplicates(tmp_path: Path) -> None:
    stretches = cut_shards(write_shards(tmp_path, [[], []], 2))
    assert stretches == list[Stretch]()
    assert places_in(find_duplicates(stretches, tmp_path / "work"), 0, 10).tolist() == []
