"""Word vectors in GloVe's text format, and nearest words against brute force."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textbook.errors import UserError
from textbook.textbooks import vectors as module
from textbook.textbooks.vectors import Vectors, nearest, read_vectors

LINES = ["good 1 0 0", "great 0.9 0.1 0", "fine 0.5 0.5 0", "bad -1 0 0", "at name@domain.com 0 0 1", "nil 0 0 0"]


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def make(rows: dict[str, list[float]]) -> Vectors:
    units = np.array(list(rows.values()), np.float32)
    return Vectors(list(rows), {word: place for place, word in enumerate(rows)}, units)


def test_each_line_is_a_word_and_its_vector_scaled_to_length_1(tmp_path: Path) -> None:
    found = read_vectors(write(tmp_path / "v.txt", *LINES))
    assert found.words == ["good", "great", "fine", "bad", "at name@domain.com", "nil"]
    assert np.linalg.norm(found.units, axis=1).tolist() == pytest.approx([1, 1, 1, 1, 1, 0])
    assert found.units[3].tolist() == [-1, 0, 0]
    assert found.units.dtype == np.float32


def test_only_the_first_words_are_read_and_of_equal_ones_the_first_counts(tmp_path: Path) -> None:
    path = write(tmp_path / "v.txt", "a 1 0", "b 0 1", "a 0 1", "c 1 1", "no vector")
    assert read_vectors(path, limit=4).words == ["a", "b", "c"]
    assert read_vectors(path, limit=4).units[0].tolist() == [1, 0]
    assert read_vectors(path, limit=1).words == ["a"]


def test_a_folder_stands_for_the_one_file_in_it(tmp_path: Path) -> None:
    write(tmp_path / "v.txt", *LINES)
    (tmp_path / "LICENSE").write_text("free")
    assert read_vectors(tmp_path).words[0] == "good"
    write(tmp_path / "w.txt", *LINES)
    with pytest.raises(UserError, match=r"must hold one file of word vectors, \*\.txt; it has 2$"):
        read_vectors(tmp_path)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a 1 2", "b 1"], "line 2: must be a word and 2 numbers, between spaces"),
        (["a 1 2", "b 1 x"], "line 2: must be a word and 2 numbers"),
        (["a 1 2", "b 1 nan"], "line 2: must be a word and 2 numbers"),
        (["a 1 2", ""], "line 2: must be a word and 2 numbers"),
        (["a"], "line 1: must be a word and numbers"),
        (["only words here"], "line 1: must be a word and numbers"),
        ([], "holds no word vectors"),
    ],
)
def test_what_is_not_in_the_format_is_refused_with_its_line(tmp_path: Path, lines: list[str], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        read_vectors(write(tmp_path / "v.txt", *lines))


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_bytes(b"good 1 0\n\xff\xfe 1 0\n")
    with pytest.raises(UserError, match=r"v\.txt: is not text in UTF-8"):
        read_vectors(tmp_path / "v.txt")


def test_the_nearest_words_come_in_order_without_the_word_itself(tmp_path: Path) -> None:
    found = nearest(read_vectors(write(tmp_path / "v.txt", *LINES)), ["good", "bad", "Great", "unheard"], 2)
    assert found["good"] == ["great", "fine"]
    assert found["bad"][0] in {"at name@domain.com", "nil"}  # at right angles: nearer than what points away
    assert found["Great"] == ["good", "fine"], "a word is looked up in lower case if it has no vector as written"
    assert found["unheard"] == []


def test_a_word_is_looked_up_as_it_is_written_first() -> None:
    rows = make({"Turkey": [1, 0], "turkey": [0, 1], "Greece": [1, 0], "goose": [0, 1]})
    assert nearest(rows, ["Turkey", "turkey"], 1) == {"Turkey": ["Greece"], "turkey": ["goose"]}


whole_numbers = st.lists(st.lists(st.integers(-2, 2), min_size=2, max_size=2), min_size=1, max_size=12)


@given(whole_numbers, st.integers(1, 15), st.integers(1, 5))
def test_neighbours_are_those_of_brute_force_however_many_are_looked_up_together(
    rows: list[list[int]], k: int, together: int
) -> None:
    vectors = make({f"w{number}": [float(x) for x in row] for number, row in enumerate(rows)})
    expected = {}
    for word, row in zip(vectors.words, rows, strict=True):
        similar = {
            other: sum(a * b for a, b in zip(row, rows[n], strict=True)) for n, other in enumerate(vectors.words)
        }
        expected[word] = sorted((other for other in vectors.words if other != word), key=lambda w: -similar[w])[:k]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LOOKUPS", together)
        assert nearest(vectors, vectors.words, k) == expected
