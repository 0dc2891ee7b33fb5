"""Word vectors in GloVe's text format, and the words nearest to a word."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from textbook.errors import UserError

WORDS = 100_000  # the most frequent ones, which come first in the file [TinyBERT]
LOOKUPS = 64  # words looked up together: their similarities to all others take 26 MB


@dataclass(frozen=True)
class Vectors:
    """Words, the most frequent first, and their vectors, scaled to length 1; float32 [words, width]."""

    words: list[str]
    places: dict[str, int]
    units: NDArray[np.float32]


def read_vectors(path: Path, limit: int = WORDS) -> Vectors:
    """The first `limit` words of a file in GloVe's text format: on each line a word and its numbers, between spaces.

    Args:
        path: the file, or a folder with one such file, `*.txt`.

    Raises:
        UserError: there is not one file, or a line is not a word and as many numbers as on the first line.
    """
    if path.is_dir():
        found = sorted(path.glob("*.txt"))
        if len(found) != 1:
            raise UserError(f"{path}: must hold one file of word vectors, *.txt; it has {len(found)}")
        path = found[0]
    places: dict[str, int] = {}
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
                if word not in places:
                    places[word] = len(rows)
                    rows.append(row)
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not text in UTF-8: {error}") from None
    if not rows:
        raise UserError(f"{path}: holds no word vectors")
    matrix = np.stack(rows)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    matrix /= np.where(lengths > 0, lengths, 1)
    return Vectors(list(places), places, matrix)


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
