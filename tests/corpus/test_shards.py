"""Writing and reading a corpus: shards without duplicates, with stable ids."""

from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textbook.corpus.merge import SCHEMA, write_corpus
from textbook.corpus.shards import corpus_hash, corpus_size, read_shards, shard_paths, take_sentences
from textbook.errors import UserError
from textbook.words import canonical

Sources = dict[str, list[str]]

SOURCES: Sources = {"web": ["a", "b", "a", "c"], "book": ["c", "d", "b", "É"]}
KEPT = [("a", "web"), ("b", "web"), ("c", "web"), ("d", "book"), ("É", "book")]

sentence = st.text("ab É", max_size=2)  # few letters, so that duplicates are common
some_sources = st.fixed_dictionaries({"web": st.lists(sentence), "book": st.lists(sentence, min_size=1)})


def make_corpus(folder: Path, sources: Sources, shard_rows: int) -> dict[str, int]:
    """Write `sources` as Parquet files, and their corpus into the new folder `folder`."""
    paths = {}
    for name, sentences in sources.items():
        paths[name] = folder.with_name(f"{folder.name}-{name}.parquet")
        pq.write_table(pa.table({"sentence": pa.array(sentences, pa.string())}), paths[name], row_group_size=2)
    folder.mkdir()
    return write_corpus(paths, folder, shard_rows)


@settings(max_examples=40, deadline=None)
@given(some_sources, st.integers(1, 7))
def test_the_first_of_equal_sentences_is_kept_and_ids_are_consecutive(sources: Sources, shard_rows: int) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name) / "corpus"
        counts = make_corpus(folder, sources, shard_rows)
        shards = [pq.read_table(path) for path in shard_paths(folder)]

    first: dict[str, tuple[str, str]] = {}  # sentence and source by the canonical form of the sentence
    for source, sentences in sources.items():
        for text in sentences:
            first.setdefault(canonical(text), (text, source))
    expected = [{"id": number, "sentence": text, "source": name} for number, (text, name) in enumerate(first.values())]
    assert pa.concat_tables(shards).to_pylist() == expected
    assert all(shard.schema == SCHEMA for shard in shards)
    assert all(shard.num_rows == shard_rows for shard in shards[:-1]), "a shard before the last one is not full"
    assert 0 < shards[-1].num_rows <= shard_rows
    total = sum(map(len, sources.values()))
    assert counts == {"sentences": total, "kept": len(first), "duplicates": total - len(first)}


@settings(max_examples=40, deadline=None)
@given(some_sources, st.integers(1, 4), st.integers(1, 4), st.data())
def test_rows_are_read_back_by_id_in_any_order(
    sources: Sources, shard_rows: int, batch_size: int, data: st.DataObject
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name) / "corpus"
        size = make_corpus(folder, sources, shard_rows)["kept"]
        all_sentences = list(chain.from_iterable(read_shards(folder, batch_size)))
        ids = data.draw(st.lists(st.integers(0, size - 1)))
        part_rows = data.draw(st.integers(1, 4))
        parts = list(take_sentences(folder, np.array(ids, np.int64), Path(name), part_rows))
        assert [path.name for path in Path(name).iterdir() if path.suffix == ""] == ["corpus"]
    assert len(all_sentences) == size
    taken = [sentence for part in parts for sentence in part["sentence"].to_pylist()]
    assert taken == [all_sentences[number] for number in ids]
    assert all(part.num_rows == part_rows for part in parts[:-1])


def test_the_source_of_a_sentence_is_the_first_that_has_it(tmp_path: Path) -> None:
    make_corpus(tmp_path / "corpus", SOURCES, 2)
    (rows,) = take_sentences(tmp_path / "corpus", np.array([4, 0, 2, 3, 1]))
    assert rows.column_names == ["sentence", "source"]
    assert [tuple(row.values()) for row in rows.to_pylist()] == [KEPT[number] for number in (4, 0, 2, 3, 1)]


def test_more_than_ten_shards_stay_in_the_order_of_their_ids(tmp_path: Path) -> None:
    sentences = [str(number) for number in range(12)]
    make_corpus(tmp_path / "corpus", {"web": sentences}, 1)
    assert list(chain.from_iterable(read_shards(tmp_path / "corpus"))) == sentences


def test_the_hash_depends_on_the_input(tmp_path: Path) -> None:
    for name, sources in {
        "one": SOURCES,
        "same": SOURCES,
        "other": {**SOURCES, "book": [*SOURCES["book"], "e"]},
        "renamed": {"web": SOURCES["web"], "novel": SOURCES["book"]},
    }.items():
        make_corpus(tmp_path / name, sources, 2)
    assert corpus_hash(tmp_path / "one") == corpus_hash(tmp_path / "same")
    assert len({corpus_hash(tmp_path / name) for name in ("one", "other", "renamed")}) == 3


def test_the_size_is_the_number_of_kept_sentences(tmp_path: Path) -> None:
    make_corpus(tmp_path / "corpus", SOURCES, 3)
    assert corpus_size(tmp_path / "corpus") == len(KEPT)


def test_sources_without_sentences_are_rejected_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"corpus: no sentences in .*-web\.parquet"):
        make_corpus(tmp_path / "corpus", {"web": []}, 3)


def test_a_folder_that_is_not_a_corpus_has_no_hash(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"{tmp_path}: is not a corpus"):
        corpus_hash(tmp_path)


def test_a_killed_run_resumes_with_the_next_shard(tmp_path: Path) -> None:
    make_corpus(tmp_path / "whole", SOURCES, 2)
    make_corpus(tmp_path / "killed", SOURCES, 2)
    for name in ("corpus.json", "00001.parquet"):
        (tmp_path / "killed" / name).unlink()
    modified = (tmp_path / "killed" / "00000.parquet").stat().st_mtime_ns
    with pytest.raises(UserError, match="is not a corpus"):
        corpus_hash(tmp_path / "killed")
    paths = {name: tmp_path / f"killed-{name}.parquet" for name in SOURCES}
    write_corpus(paths, tmp_path / "killed", 2)
    assert (tmp_path / "killed" / "00000.parquet").stat().st_mtime_ns == modified
    assert corpus_hash(tmp_path / "killed") == corpus_hash(tmp_path / "whole")
    assert sorted(path.name for path in (tmp_path / "killed").iterdir()) == [
        *(f"{number:05}.parquet" for number in range(3)),
        "corpus.json",
    ]


def test_a_run_killed_after_its_summary_gives_the_same_corpus(tmp_path: Path) -> None:
    make_corpus(tmp_path / "corpus", SOURCES, 2)
    expected = corpus_hash(tmp_path / "corpus")
    (tmp_path / "corpus" / ".partial" / "00002.parquet").mkdir(parents=True)
    (tmp_path / "corpus" / ".partial" / "00002.parquet" / "00002.parquet").write_bytes(b"PAR1")
    write_corpus({name: tmp_path / f"corpus-{name}.parquet" for name in SOURCES}, tmp_path / "corpus", 2)
    assert corpus_hash(tmp_path / "corpus") == expected


def test_the_corpus_does_not_depend_on_row_groups_of_the_input(tmp_path: Path) -> None:
    for name, group_rows in {"one": 1, "many": 100}.items():
        pq.write_table(pa.table({"sentence": SOURCES["web"]}), tmp_path / f"{name}.parquet", row_group_size=group_rows)
        write_corpus({"web": tmp_path / f"{name}.parquet"}, tmp_path / name)
    assert corpus_hash(tmp_path / "one") == corpus_hash(tmp_path / "many")
