"""Read word vectors in their published formats, and find the nearest neighbours of a word."""

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

from textbook.errors import UserError, first_line

WORDS = 100_000  # the most frequent words, which come first in the file (as in TinyBERT)
LOOKUPS = 64  # words looked up together; their similarities to all other words take 26 MB
SPACE_MARKS = ("Ġ", "▁")  # prefix of a token that follows a space, in byte-level BPE and in SentencePiece
_STATIC_MODEL = "model.safetensors"


@dataclass(frozen=True)
class Vectors:
    """Words, most frequent first, and their vectors scaled to unit length; float32 [words, dimensions]."""

    words: list[str]
    places: dict[str, int]
    units: NDArray[np.float32]


def read_vectors(path: Path, limit: int = WORDS) -> Vectors:
    """Read the first `limit` words and their vectors from a file or folder.

    The supported formats are:

    - GloVe's text format: a file, or a folder with one `*.txt` file. Each line has a word and its numbers, separated by
      spaces.
    - An array: a folder with the vectors in one `*.npy` file and the words in one `*.parquet` file with one column.
    - Static embeddings of Model2Vec: a folder with `model.safetensors` and `tokenizer.json`. The words are the tokens
      of the vocabulary that start a word.

    Raises:
        UserError: the format is none of these, or the data is damaged. The message names the line of a text file.
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
        raise UserError(f"{path}: has no word vectors")
    units = matrix[rows].astype(np.float32)
    norms = np.linalg.norm(units, axis=1, keepdims=True)
    units /= np.where(norms > 0, norms, 1)
    return Vectors(list(places), places, units)


def _from_text(path: Path, limit: int) -> tuple[list[str], NDArray[np.float32]]:
    words: list[str] = []
    rows: list[NDArray[np.float32]] = []
    try:
        with path.open(encoding="utf-8", newline="\n") as file:  # a word may contain other line separators of Unicode
            for number, line in enumerate(islice(file, limit), start=1):
                # Some words in GloVe contain a space ("at name@domain.com"), so the numbers are split off from the end.
                word, *numbers = line.rstrip().rsplit(" ", len(rows[0])) if rows else line.split()
                try:
                    row = np.array(numbers, np.float32)
                except ValueError:
                    row = np.zeros(0, np.float32)
                if not len(row) or not np.isfinite(row).all() or (rows and len(row) != len(rows[0])):
                    width = f"{len(rows[0])} " if rows else ""
                    raise UserError(f"{path}, line {number}: must be a word and {width}numbers, separated by spaces")
                words.append(word)
                rows.append(row)
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 text: {error}") from None
    return words, np.array(rows)


def _from_array(folder: Path) -> tuple[list[str], NDArray[np.float32]]:
    array, table = _only(folder, "*.npy"), _only(folder, "*.parquet")
    try:
        matrix = np.load(array, mmap_mode="r", allow_pickle=False)
        columns = pq.read_table(table)
    except (OSError, ValueError) as error:  # base classes of Arrow's errors
        raise UserError(f"{folder}: cannot read word vectors: {first_line(error)}") from None
    if columns.num_columns != 1 or not pa.types.is_string(columns.schema.types[0]):
        raise UserError(f"{table}: must have one column, the words; it has {', '.join(columns.column_names)}")
    return columns.column(0).to_pylist(), _checked(matrix, columns.num_rows, array)


def _from_static_model(folder: Path) -> tuple[list[str], NDArray[np.float32]]:
    try:
        tensors = load_file(folder / _STATIC_MODEL)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the tokenizers library raises plain exceptions
        raise UserError(f"{folder}: cannot read static embeddings: {first_line(error)}") from None
    if "embeddings" not in tensors:
        raise UserError(f"{folder / _STATIC_MODEL}: has no tensor 'embeddings'; it has {', '.join(sorted(tensors))}")
    matrix = tensors["embeddings"]
    if "mapping" in tensors:  # tokens share vectors; the mapping has the row of each token
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
    words.pop("", None)  # from the mark alone
    return list(words), matrix[list(words.values())]


def _checked(matrix: NDArray[np.float32], words: int, path: Path) -> NDArray[np.float32]:
    """Check that a matrix has one row of finite numbers per word, and return it."""
    if matrix.ndim != 2 or len(matrix) != words or not np.isfinite(matrix).all():
        raise UserError(
            f"{path}: must have one row of finite numbers for each of {words:,} words; its shape is {matrix.shape}"
        )
    return matrix


def _only(folder: Path, pattern: str) -> Path:
    """The only file in a folder that matches a pattern."""
    paths = sorted(folder.glob(pattern))
    if len(paths) != 1:
        raise UserError(f"{folder}: must contain exactly one file of word vectors, {pattern}; it has {len(paths)}")
    return paths[0]


def nearest(vectors: Vectors, words: Iterable[str], k: int) -> dict[str, list[str]]:
    """The k nearest neighbours of each word by cosine similarity, nearest first; ties are in order of frequency.

    A word is looked up as written and, if it has no vector, in lower case. It is not among its own neighbours. A word
    without a vector has no neighbours.
    """
    distinct = list(dict.fromkeys(words))
    neighbours: dict[str, list[str]] = {word: [] for word in distinct}
    places = [place for word in distinct if (place := _place(vectors, word)) is not None]
    known = [word for word in distinct if _place(vectors, word) is not None]
    k = min(k, len(vectors.words) - 1)
    for start in range(0, len(known) if k else 0, LOOKUPS):
        rows = np.array(places[start : start + LOOKUPS])
        cosines = vectors.units[rows] @ vectors.units.T
        cosines[np.arange(len(rows)), rows] = -np.inf
        thresholds = np.partition(cosines, -k, axis=1)[:, -k]
        for word, cosine, threshold in zip(known[start : start + LOOKUPS], cosines, thresholds, strict=True):
            near = np.flatnonzero(cosine >= threshold)  # more than k if words tie
            near = near[np.argsort(-cosine[near], kind="stable")][:k]
            neighbours[word] = [vectors.words[place] for place in near]
    return neighbours


def _place(vectors: Vectors, word: str) -> int | None:
    return vectors.places.get(word, vectors.places.get(word.lower()))
