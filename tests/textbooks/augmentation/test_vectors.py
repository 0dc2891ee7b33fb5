"""Word vectors in each format; nearest neighbours match brute force."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import BPE, Unigram, WordPiece

from textbook.errors import UserError
from textbook.textbooks.augmentation import vectors as module
from textbook.textbooks.augmentation.vectors import Vectors, nearest, read_vectors

LINES = ["good 1 0 0", "great 0.9 0.1 0", "fine 0.5 0.5 0", "bad -1 0 0", "at name@domain.com 0 0 1", "nil 0 0 0"]


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def make_vectors(rows: dict[str, list[float]]) -> Vectors:
    units = np.array(list(rows.values()), np.float32)
    return Vectors(list(rows), {word: place for place, word in enumerate(rows)}, units)


def test_vectors_are_scaled_to_unit_length(tmp_path: Path) -> None:
    vectors = read_vectors(write(tmp_path / "v.txt", *LINES))
    assert vectors.words == ["good", "great", "fine", "bad", "at name@domain.com", "nil"]
    assert np.linalg.norm(vectors.units, axis=1).tolist() == pytest.approx([1, 1, 1, 1, 1, 0])
    assert vectors.units[3].tolist() == [-1, 0, 0]
    assert vectors.units.dtype == np.float32


def test_the_limit_and_the_first_of_duplicate_words_apply(tmp_path: Path) -> None:
    path = write(tmp_path / "v.txt", "a 1 0", "b 0 1", "a 0 1", "c 1 1", "no vector")
    assert read_vectors(path, limit=4).words == ["a", "b", "c"]
    assert read_vectors(path, limit=4).units[0].tolist() == [1, 0]
    assert read_vectors(path, limit=1).words == ["a"]


def test_a_folder_must_contain_exactly_one_text_file(tmp_path: Path) -> None:
    write(tmp_path / "v.txt", *LINES)
    (tmp_path / "LICENSE").write_text("free")
    assert read_vectors(tmp_path).words[0] == "good"
    write(tmp_path / "w.txt", *LINES)
    with pytest.raises(UserError, match=r"must contain exactly one file of word vectors, \*\.txt; it has 2$"):
        read_vectors(tmp_path)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a 1 2", "b 1"], "line 2: must be a word and 2 numbers, separated by spaces"),
        (["a 1 2", "b 1 x"], "line 2: must be a word and 2 numbers"),
        (["a 1 2", "b 1 nan"], "line 2: must be a word and 2 numbers"),
        (["a 1 2", ""], "line 2: must be a word and 2 numbers"),
        (["a"], "line 1: must be a word and numbers"),
        (["only words here"], "line 1: must be a word and numbers"),
        ([], "has no word vectors"),
    ],
)
def test_a_malformed_line_is_refused_with_its_number(tmp_path: Path, lines: list[str], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        read_vectors(write(tmp_path / "v.txt", *lines))


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_bytes(b"good 1 0\n\xff\xfe 1 0\n")
    with pytest.raises(UserError, match=r"v\.txt: is not UTF-8 text"):
        read_vectors(tmp_path / "v.txt")


def write_array(folder: Path, rows: object, words: list[str]) -> Path:
    np.save(folder / "vectors.npy", np.array(rows))
    pq.write_table(pa.table({"index": words}), folder / "words.parquet")
    return folder


def test_an_array_is_read_with_the_words_of_its_table(tmp_path: Path) -> None:
    vectors = read_vectors(write_array(tmp_path, [[2.0, 0], [0, 3], [5, 0]], ["good", "bad", "good"]))
    assert vectors.words == ["good", "bad"]
    assert vectors.units.tolist() == [[1, 0], [0, 1]]
    assert vectors.units.dtype == np.float32
    assert read_vectors(tmp_path, limit=1).words == ["good"]


def test_an_array_that_does_not_match_its_words_is_refused(tmp_path: Path) -> None:
    message = r"must have one row of finite numbers for each of 1 words; its shape is \(2, 2\)"
    with pytest.raises(UserError, match=message):
        read_vectors(write_array(tmp_path, [[1.0, 0], [0, 1]], ["good"]))
    with pytest.raises(UserError, match=r"must have one row of finite numbers"):
        read_vectors(write_array(tmp_path, [[1.0, np.nan]], ["good"]))
    pq.write_table(pa.table({"word": ["good"], "count": [1]}), tmp_path / "words.parquet")
    with pytest.raises(UserError, match=r"must have one column, the words; it has word, count"):
        read_vectors(tmp_path)


def test_an_array_of_python_objects_is_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "vectors.npy", np.array([{"a": 1}], object))
    pq.write_table(pa.table({"index": ["good"]}), tmp_path / "words.parquet")
    with pytest.raises(UserError, match=r"cannot read word vectors: Array can't be memory-mapped"):
        read_vectors(tmp_path)


PIECES = {
    "wordpiece": WordPiece({"[UNK]": 0, "good": 1, "##ish": 2, "bad": 3}, unk_token="[UNK]"),
    "unigram": Unigram([("<unk>", 0.0), ("▁good", -1.0), ("ish", -1.0), ("▁bad", -2.0), ("▁", -3.0)], 0),
    "bpe": BPE({"<unk>": 0, "Ġgood": 1, "ish": 2, "Ġbad": 3}, [], unk_token="<unk>"),
}


def write_static_model(folder: Path, kind: str, **tensors: object) -> Path:
    tokenizer = Tokenizer(PIECES[kind])
    tokenizer.add_special_tokens([tokenizer.model.unk_token if kind != "unigram" else "<unk>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    save_file({name: np.array(value) for name, value in tensors.items()}, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize("kind", PIECES)
def test_the_words_of_static_embeddings_are_the_tokens_that_start_a_word(tmp_path: Path, kind: str) -> None:
    rows = [[9.0, 9], [3, 4], [8, 8], [0, 2], [7, 7]][: 5 if kind == "unigram" else 4]
    vectors = read_vectors(write_static_model(tmp_path, kind, embeddings=rows))
    assert vectors.words == ["good", "bad"]
    assert vectors.units == pytest.approx(np.array([[0.6, 0.8], [0, 1]]))


def test_static_embeddings_may_be_shared_and_of_integers(tmp_path: Path) -> None:
    embeddings = np.array([[127, 0], [0, -4]], np.int8)
    vectors = read_vectors(write_static_model(tmp_path, "wordpiece", embeddings=embeddings, mapping=[0, 1, 0, 0]))
    assert vectors.units.tolist() == [[0, -1], [1, 0]]


def test_incomplete_static_embeddings_are_refused(tmp_path: Path) -> None:
    message = r"must have one row of finite numbers for each of 4 words; its shape is \(1, 2\)"
    with pytest.raises(UserError, match=message):
        read_vectors(write_static_model(tmp_path, "wordpiece", embeddings=[[1.0, 2]]))
    with pytest.raises(UserError, match=r"has no tensor 'embeddings'; it has weight"):
        read_vectors(write_static_model(tmp_path, "wordpiece", weight=[[1.0, 2]]))
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=r"cannot read static embeddings: "):
        read_vectors(tmp_path)


def test_neighbours_are_sorted_and_exclude_the_word_itself(tmp_path: Path) -> None:
    neighbours = nearest(read_vectors(write(tmp_path / "v.txt", *LINES)), ["good", "bad", "Great", "unheard"], 2)
    assert neighbours["good"] == ["great", "fine"]
    assert neighbours["bad"][0] in {"at name@domain.com", "nil"}  # cosine 0, all others are negative
    assert neighbours["Great"] == ["good", "fine"], "a word without a vector is looked up in lower case"
    assert neighbours["unheard"] == []


def test_a_word_is_first_looked_up_as_written() -> None:
    vectors = make_vectors({"Turkey": [1, 0], "turkey": [0, 1], "Greece": [1, 0], "goose": [0, 1]})
    assert nearest(vectors, ["Turkey", "turkey"], 1) == {"Turkey": ["Greece"], "turkey": ["goose"]}


integer_rows = st.lists(st.lists(st.integers(-2, 2), min_size=2, max_size=2), min_size=1, max_size=12)


@given(integer_rows, st.integers(1, 15), st.integers(1, 5))
def test_neighbours_match_brute_force_for_any_number_of_lookups(rows: list[list[int]], k: int, lookups: int) -> None:
    vectors = make_vectors({f"w{number}": [float(x) for x in row] for number, row in enumerate(rows)})
    expected = {}
    for word, row in zip(vectors.words, rows, strict=True):
        similar = {
            other: sum(a * b for a, b in zip(row, rows[n], strict=True)) for n, other in enumerate(vectors.words)
        }
        expected[word] = sorted((other for other in vectors.words if other != word), key=lambda w: -similar[w])[:k]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LOOKUPS", lookups)
        assert nearest(vectors, vectors.words, k) == expected
