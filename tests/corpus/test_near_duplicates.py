"""Near-duplicates: none is removed falsely, hardly any stays, and how the work is divided does not matter."""

import random
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_shingles import similar_to_kept

from textbook.corpus.duplicates import find_duplicates
from textbook.corpus.merge import SCHEMA, write_corpus
from textbook.corpus.near_duplicates import NEIGHBOURS, find_near_duplicates
from textbook.corpus.shards import SUMMARY, corpus_hash, shard_paths
from textbook.corpus.stretches import cut_shards, places_in
from textbook.files import read_json
from textbook.params import NearDuplicates

VOCABULARY = ["".join(letters) for letters in product("bdfgklmnprst", "aeiou", "lnrs")]
RULES = NearDuplicates(threshold=0.8, words=2, hashes=128)


def vary(sentence: str, rng: random.Random) -> str:
    """A sentence with up to three words replaced, inserted or left out."""
    tokens = sentence.split()
    for _ in range(rng.randint(0, 3)):
        place = rng.randrange(len(tokens))
        tokens[place : place + rng.randint(0, 1)] = rng.choice(([], [rng.choice(VOCABULARY)]))
    return rng.choice((" ", ", ")).join(tokens)


def make_text(count: int, seed: int) -> list[str]:
    """Random sentences of 10 to 25 words, every third of which varies an earlier one."""
    rng = random.Random(seed)
    sentences: list[str] = []
    for number in range(count):
        if number % 3 == 2:
            sentences.append(vary(rng.choice(sentences).replace(",", ""), rng))
        else:
            sentences.append(" ".join(rng.choices(VOCABULARY, k=rng.randint(10, 25))))
    return sentences


def write_shard(path: Path, sentences: list[str], group_rows: int = 100) -> Path:
    pq.write_table(pa.table({"sentence": pa.array(sentences, pa.string())}), path, row_group_size=group_rows)
    return path


def find(
    sentences: list[str], rules: NearDuplicates, group_rows: int = 100, stretch_rows: int = 300, bucket_rows: int = 500
) -> set[int]:
    """The places of the near-duplicates."""
    with TemporaryDirectory() as name:
        shard = write_shard(Path(name) / "a.parquet", sentences, group_rows)
        stretches = cut_shards([shard], stretch_rows)
        duplicates = find_duplicates(stretches, Path(name) / "exact", bucket_rows)
        files = find_near_duplicates(stretches, duplicates, Path(name) / "near", rules, bucket_rows)
        assert len(files) == len(stretches)
        places = places_in(files, 0, len(sentences)).tolist()
    assert len(set(places)) == len(places)
    return set(places)


@pytest.mark.parametrize(("threshold", "words", "count"), [(0.8, 2, 3_000), (0.6, 3, 3_000), (0.9, 1, 800)])
def test_the_near_duplicates_are_those_of_a_comparison_of_all_sentences(
    threshold: float, words: int, count: int
) -> None:
    sentences = make_text(count, seed=0)
    removed = find(sentences, NearDuplicates(threshold=threshold, words=words, hashes=128))
    similar = similar_to_kept(sentences, removed, threshold, words)
    assert removed <= similar.keys(), "removed, but not similar to an earlier sentence that stays"
    assert len(removed) > count / 10
    assert len(similar.keys() - removed) <= 0.02 * len(removed), "similar to an earlier sentence that stays, but kept"
    by_definition = similar_to_kept(sentences, None, threshold, words).keys()
    assert len(removed ^ by_definition) <= 0.02 * len(by_definition)


short = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(" ".join)


@settings(max_examples=15)
@given(st.lists(short | st.sampled_from(["!", "?", "A b!", "中文 a", "中文, A"]), min_size=1, max_size=30), st.data())
def test_how_the_work_is_divided_does_not_matter(sentences: list[str], data: st.DataObject) -> None:
    rules = NearDuplicates(threshold=data.draw(st.sampled_from([0.5, 2 / 3, 1.0])), words=2, hashes=64)
    removed = find(sentences, rules)
    sizes = [data.draw(st.integers(1, most)) for most in (4, 5, 9)]
    assert find(sentences, rules, *sizes) == removed
    assert removed <= similar_to_kept(sentences, removed, rules.threshold, 2).keys()
    if rules.threshold == 1:
        assert removed == similar_to_kept(sentences, None, 1, 2).keys()


def test_of_boilerplate_only_the_first_sentence_stays() -> None:
    boilerplate = [f"All rights reserved{mark * number}" for number in range(1, 200) for mark in ".!"]
    assert len(boilerplate) > 10 * NEIGHBOURS
    assert find(["The first sentence.", *boilerplate], RULES) == set(range(2, len(boilerplate) + 1))


def test_a_chain_of_similar_sentences_keeps_the_link_that_is_far_from_the_first() -> None:
    tokens = VOCABULARY[:20]
    chain = [" ".join([*(str(number) for number in range(changed)), *tokens[changed:]]) for changed in range(0, 6, 2)]
    assert find(chain, NearDuplicates(threshold=0.7, words=1, hashes=128)) == {1}


def test_sentences_without_words_stay(tmp_path: Path) -> None:
    assert find(["!", "?", "...", "a", "a!"], RULES) == {4}


def test_an_empty_input_has_no_near_duplicates(tmp_path: Path) -> None:
    stretches = cut_shards([write_shard(tmp_path / "a.parquet", [])])
    assert find_near_duplicates(stretches, [], tmp_path / "work", RULES) == []


def test_finished_files_of_a_killed_run_are_reused(tmp_path: Path) -> None:
    sentences = make_text(400, seed=1)
    stretches = cut_shards([write_shard(tmp_path / "a.parquet", sentences)], 100)
    whole = find_near_duplicates(stretches, [], tmp_path / "whole", RULES, 150)
    killed = tmp_path / "killed"
    killed.mkdir()
    finished = [f"{kind}-000000.npy" for kind in ("keys", "pairs", "members", "shingles", "similar")]
    for name in finished:
        (killed / name).write_bytes((tmp_path / "whole" / name).read_bytes())
    before = {name: (killed / name).stat().st_mtime_ns for name in finished}
    files = find_near_duplicates(stretches, [], killed, RULES, 150)
    assert {name: (killed / name).stat().st_mtime_ns for name in finished} == before
    assert [path.read_bytes() for path in files] == [path.read_bytes() for path in whole]


def test_a_corpus_leaves_out_and_counts_near_duplicates_besides_exact_ones(tmp_path: Path) -> None:
    long = " ".join(VOCABULARY[:20])
    web, book = [long, "A b c.", long.upper()], [f"{long}!", f"{long} and more", "D e f.", "d  e f."]
    sources = {name: write_shard(tmp_path / f"{name}.parquet", rows) for name, rows in (("web", web), ("book", book))}
    counts = write_corpus(sources, tmp_path / "corpus", near=RULES)
    assert counts == {"sentences": 7, "kept": 3, "duplicates": 2, "near_duplicates": 2}
    rows = pq.read_table(tmp_path / "corpus" / "00000.parquet").to_pylist()
    expected = [(long, "web"), ("A b c.", "web"), ("D e f.", "book")]
    assert [tuple(row.values()) for row in rows] == [(number, *row) for number, row in enumerate(expected)]
    assert read_json(tmp_path / "corpus" / SUMMARY) == {**counts, "sha256": corpus_hash(tmp_path / "corpus")}
    assert [path.name for path in (tmp_path / "corpus").iterdir() if path.is_dir()] == []


def test_by_default_only_exact_duplicates_go_and_no_byte_is_different(tmp_path: Path) -> None:
    source = write_shard(tmp_path / "web.parquet", ["A b c d.", "A b c d!", "a b C d.", "E."])
    counts = write_corpus({"web": source}, tmp_path / "corpus")
    assert counts == {"sentences": 4, "kept": 3, "duplicates": 1}
    assert read_json(tmp_path / "corpus" / SUMMARY).keys() == {*counts, "sha256"}
    columns = {"id": [0, 1, 2], "sentence": ["A b c d.", "A b c d!", "E."], "source": ["web"] * 3}
    pq.write_table(
        pa.table(columns, SCHEMA), tmp_path / "expected.parquet", compression="zstd", use_dictionary=["source"]
    )
    (shard,) = shard_paths(tmp_path / "corpus")
    assert shard.read_bytes() == (tmp_path / "expected.parquet").read_bytes()
