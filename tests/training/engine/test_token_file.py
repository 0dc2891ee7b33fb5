import errno
import pickle
import resource
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import make_sentences
from textbook.errors import UserError
from textbook.models.encoder import load_tokenizer
from textbook.training.engine import token_file
from textbook.training.engine.token_file import Column, tokenize_book
from textbook.training.engine.tokens import open_tokens, tokenize

SENTENCES = make_sentences(700, seed=0)


@pytest.fixture
def book(tmp_path):
    """A textbook of 700 sentences in four row groups."""
    path = tmp_path / "book.parquet"
    pq.write_table(pa.table({"sentence": SENTENCES, "rank": range(700)}), path, row_group_size=200)
    return path


@pytest.fixture
def folder(book, tiny_teacher, tmp_path, monkeypatch):
    """The tokens of the textbook, written in chunks of 64."""
    monkeypatch.setattr(token_file, "CHUNK", 64)
    monkeypatch.setattr(token_file, "COPIED", 1000)
    tokenize_book(book, tiny_teacher, 12, tmp_path / "tokens")
    return tmp_path / "tokens"


def assert_same_tokens(actual, expected):
    assert actual.ids.dtype == expected.ids.dtype
    for name in ("ids", "types", "offsets"):
        assert np.array_equal(getattr(actual, name), getattr(expected, name)), name
    assert (actual.largest, actual.longest) == (expected.largest, expected.longest)


def test_the_file_has_the_tokens_of_all_row_groups_in_order(folder, tiny_teacher):
    tokens = open_tokens(folder)
    assert_same_tokens(tokens, tokenize(load_tokenizer(tiny_teacher), SENTENCES, None, 12))
    assert isinstance(tokens.ids, np.memmap)
    assert (len(tokens), tokens.longest) == (700, 12)
    assert not list(folder.parent.glob("*.parts"))


def test_pairs_have_segments(tiny_teacher, tmp_path):
    book = tmp_path / "book.parquet"
    pq.write_table(pa.table({"sentence": SENTENCES[:50], "sentence2": SENTENCES[50:100]}), book)
    tokenize_book(book, tiny_teacher, 20, tmp_path / "tokens")
    tokens = open_tokens(tmp_path / "tokens")
    assert_same_tokens(tokens, tokenize(load_tokenizer(tiny_teacher), SENTENCES[:50], SENTENCES[50:100], 20))
    assert set(tokens.types) == {0, 1}


def test_a_resumed_run_keeps_the_row_groups_of_a_killed_one(book, tiny_teacher, tmp_path, monkeypatch):
    class Killed(Exception):
        pass

    def die(*arguments):
        if arguments[1] == 2:
            raise Killed
        return original(*arguments)

    original = token_file._chunks
    monkeypatch.setattr(token_file, "_chunks", die)
    with pytest.raises(Killed):
        tokenize_book(book, tiny_teacher, 12, tmp_path / "tokens")
    assert not (tmp_path / "tokens").exists()
    groups = []
    monkeypatch.setattr(token_file, "_chunks", lambda *arguments: groups.append(arguments[1]) or original(*arguments))
    tokenize_book(book, tiny_teacher, 12, tmp_path / "tokens")
    assert groups == [2, 3]
    assert_same_tokens(open_tokens(tmp_path / "tokens"), tokenize(load_tokenizer(tiny_teacher), SENTENCES, None, 12))


def test_mapped_tokens_are_pickled_as_a_path(folder):
    tokens = open_tokens(folder)
    assert len(pickle.dumps(tokens)) < 500
    assert_same_tokens(pickle.loads(pickle.dumps(tokens)), tokens)


@pytest.mark.parametrize("name", ["ids.npy", "types.npy", "offsets.npy", "tokens.json"])
def test_a_truncated_token_file_is_refused(folder, name):
    path = folder / name
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(UserError, match=r"tokens: is (not a token file|empty or damaged).*; remove the folder"):
        open_tokens(folder)


def test_inconsistent_files_are_refused(folder):
    np.save(folder / "ids.npy", np.zeros(2, np.uint16))
    with pytest.raises(UserError, match="is empty or damaged; remove"):
        open_tokens(folder)


def test_an_empty_token_file_is_refused(tiny_teacher, tmp_path):
    pq.write_table(pa.table({"sentence": pa.array([], pa.string())}), tmp_path / "book.parquet")
    tokenize_book(tmp_path / "book.parquet", tiny_teacher, 12, tmp_path / "tokens")
    with pytest.raises(UserError, match="is empty or damaged"):
        open_tokens(tmp_path / "tokens")


def test_concurrent_calls_tokenise_a_textbook_once(book, tiny_teacher, tmp_path, monkeypatch):
    groups = []
    original = token_file._chunks
    monkeypatch.setattr(token_file, "_chunks", lambda *arguments: groups.append(arguments[1]) or original(*arguments))
    with ThreadPoolExecutor(3) as pool:
        for call in [pool.submit(tokenize_book, book, tiny_teacher, 12, tmp_path / "tokens") for _ in range(3)]:
            call.result()
    assert sorted(groups) == [0, 1, 2, 3]
    assert len(open_tokens(tmp_path / "tokens")) == 700


def test_a_full_disk_is_an_error_with_its_number(tmp_path):
    """NumPy's `tofile` would only say how much it wrote."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, before[1]))
    try:
        column = Column(tmp_path / "column.npy", np.dtype(np.uint16))
        with pytest.raises(OSError, match="File too large") as error:
            column.append(np.zeros(100_000, np.uint16))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert error.value.errno == errno.EFBIG
