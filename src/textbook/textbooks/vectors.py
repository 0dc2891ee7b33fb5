"""Word vectors, in the forms in which they are given away, and the words nearest to a word."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from textbook.errors import UserError

WORDS = 100_000  # the most frequent ones, which come first in the file [TinyBERT]
LOOKUPS = 64  # words looked up together: their similarities to all others take 26 MB
SPACE_MARKS = ("Ġ", "▁")  # byte-level BPE's and SentencePiece's: so begins a piece that starts a word after a space
_STATIC_MODEL = "model.safetensors"


@dataclass(frozen=True)
class Vectors:
    """Words, the most frequent first, and their vectors, scaled to length 1; float32 [words, width]."""

    words: list[str]
    places: dict[str, int]
    units: NDArray[np.float32]


def read_vectors(path: Path, limit: int = WORDS) -> Vectors:
    """The first `limit` words and their vectors, from a file or folder of one of these forms.

    - GloVe's text format, on each line a word and its numbers, between spaces: a file, or a folder with one `*.txt`;
    - an array of vectors, `*.npy`, and its words in the one column of a table, `*.parquet`: a folder;
    - static embeddings of Model2Vec, `model.safetensors` and `tokenizer.json`: a folder. Its words are the pieces of
      the vocabulary that start a word.

    Raises:
        UserError: it is none of these, or damaged; in a text file the line is named.
    """
    if (path / _STATIC_MODEL).is_file():
        words, matrix = _from_static_model(path)
    elif path.is_dir() and any(path.glob("*.npy")):
        words, matrix = _from_array(path)
    else:
        words, matrix = _from_text(_only(path, "*.txt") if path.is_dir() else path, limit)
    places: dict[str, int] = {}
    rows: list[int] = []
    for row, word in enumerate(words[:limit]):
        if word not in places:
            places[word] = len(rows)
            rows.append(row)
    if not rows:
        raise UserError(f"{path}: holds no word vectors")
    units = matrix[rows].astype(np.float32)
    lengths = np.linalg.norm(units, axis=1, keepdims=True)
    units /= np.where(lengths > 0, lengths, 1)
    return Vectors(list(places), places, units)


def _from_text(path: Path, limit: int) -> tuple[list[str], NDArray[np.float32]]:
    words: list[str] = []
    rows: list[NDArray[np.float32]] = []
    try:
        with path.open(encoding="utf-8", newline="\n") as file:  # a word may hold any other line end of Unicode
            for number, line in enumerate(islice(file, limit), start=1):
                # Some of GloVe's words hold a space ("at name@domain.com"), so the numbers are counted from the end.
                word, *numbers = line.rstrip().rsplit(" ", len(rows[0])) if rows else line.split()
                try:
                    row = np.array(numbers, np.float32)
                except ValueError:
                    row = np.zeros(0, np.float32)
                if not len(row) or not np.isfinite(row).all() or (rows and len(row) != len(rows[0])):
                    width = f"{len(rows[0])} " if rows else ""
                    raise UserError(f"{path}, line {number}: must be a word and {width}numbers, between spaces")
                words.append(word)
                rows.append(row)
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not text in UTF-8: {error}") from None
    return words, np.array(rows)


def _from_array(folder: Path) -> tuple[list[str], NDArray[np.float32]]:
    array, table = _only(folder, "*.npy"), _only(folder, "*.parquet")
    try:
        matrix = np.load(array, mmap_mode="r", allow_pickle=False)
        columns = pq.read_table(table)
    except (OSError, ValueError) as error:  # Arrow's errors are among them
        raise UserError(f"{folder}: no word vectors can be read: {str(error).splitlines()[0]}") from None
    if columns.num_columns != 1 or not pa.types.is_string(columns.schema.types[0]):
        raise UserError(f"{table}: must have one column, with the words; it has {', '.join(columns.column_names)}")
    return columns.column(0).to_pylist(), _checked(matrix, columns.num_rows, array)


def _from_static_model(folder: Path) -> tuple[list[str], NDArray[np.float32]]:
    try:
        tensors = load_file(folder / _STATIC_MODEL)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the tokenizers library raises no other class
        raise UserError(f"{folder}: no static embeddings can be read: {str(error).splitlines()[0]}") from None
    if "embeddings" not in tensors:
        raise UserError(f"{folder / _STATIC_MODEL}: has no tensor 'embeddings'; it has {', '.join(sorted(tensors))}")
    matrix = tensors["embeddings"]
    if "mapping" in tensors:  # tokens share vectors: of each token the number of its vector
        matrix = matrix[tensors["mapping"]]
    vocabulary = tokenizer.get_vocab()
    pieces = sorted(vocabulary, key=vocabulary.__getitem__)
    matrix = _checked(matrix, len(pieces), folder / _STATIC_MODEL)
    special = {token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special}
    marked = any(piece.startswith(SPACE_MARKS) for piece in pieces)
    words = {
        piece[marked:]: row
        for row, piece in enumerate(pieces)
        if piece not in special and (piece.startswith(SPACE_MARKS) if marked else not piece.startswith("##"))
    }
    words.pop("", None)  # the mark alone
    return list(words), matrix[list(words.values())]


def _checked(matrix: NDArray[np.float32], words: int, path: Path) -> NDArray[np.float32]:
    """Refuse a matrix that does not have a row of numbers for each word."""
    if matrix.ndim != 2 or len(matrix) != words or not np.isfinite(matrix).all():
        raise UserError(f"{path}: must have a row of numbers for each of {words:,} words; its shape is {matrix.shape}")
    return matrix


def _only(folder: Path, pattern: str) -> Path:
    """The one file in a folder with such a name."""
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise UserError(f"{folder}: must hold one file of word vectors, {pattern}; it has {len(found)}")
    return found[0]


def nearest(vectors: Vectors, words: Iterable[str], k: int) -> dict[str, list[str]]:
    """For each word the `k` words nearest by cosine, itself excluded, the nearest first; ties by place in the file.

    A word is looked up as it is written, else in lower case; one that has no vector gets no neighbours.
    """
    wanted = list(dict.fromkeys(words))
    found: dict[str, list[str]] = {word: [] for word in wanted}
    keys = [key for word in wanted if (key := _key(vectors, word)) is not None]
    known = [word for word in wanted if _key(vectors, word) is not None]
    k = min(k, len(vectors.words) - 1)
    for start in range(0, len(known) if k else 0, LOOKUPS):
        rows = np.array(keys[start : start + LOOKUPS])
        cosines = vectors.units[rows] @ vectors.units.T
        cosines[np.arange(len(rows)), rows] = -np.inf
        least = np.partition(cosines, -k, axis=1)[:, -k]
        for word, cosine, bound in zip(known[start : start + LOOKUPS], cosines, least, strict=True):
            near = np.flatnonzero(cosine >= bound)  # more than k where words tie
            near = near[np.argsort(-cosine[near], kind="stable")][:k]
            found[word] = [vectors.words[place] for place in near]
    return found


def _key(vectors: Vectors, word: str) -> int | None:
    return vectors.places.get(word, vectors.places.get(word.lower()))
