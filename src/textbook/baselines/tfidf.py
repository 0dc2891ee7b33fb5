"""TF-IDF of words as features of texts."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer

from textbook.baselines.linear import FP32, Texts
from textbook.words import words

LARGEST_VOCABULARY = 200_000  # words and pairs of words; the most frequent ones


class TfidfFeatures:
    """TF-IDF of words and pairs of neighbouring words, with sublinear counts. A word must be in two training texts.

    A pair of texts has the features of both, their product, and their absolute difference.
    """

    strengths = (0.1, 1.0, 10.0, 100.0)
    """To try; see `fit_linear`."""

    def __init__(self, train: Texts) -> None:
        distinct = list(dict.fromkeys([*train[0], *(train[1] or ())]))
        self._vectorizer = _fit_tfidf(distinct, 2) or _fit_tfidf(distinct, 1)

    def __call__(self, texts: Texts) -> csr_matrix:
        """The features [rows, features]."""
        first = self._of(texts[0])
        if texts[1] is None:
            return first
        second = self._of(texts[1])
        return hstack([first, second, first.multiply(second), abs(first - second)], format="csr")

    @property
    def parameters(self) -> int:
        """Number of IDF weights."""
        return len(self._vectorizer.vocabulary_) if self._vectorizer else 0

    @property
    def bytes(self) -> int:
        """Size of the IDF weights in fp32 and of the vocabulary in UTF-8, with a byte between two entries."""
        vocabulary = self._vectorizer.vocabulary_ if self._vectorizer else ()
        return FP32 * self.parameters + sum(len(entry.encode()) + 1 for entry in vocabulary)

    def _of(self, sentences: Sequence[str]) -> csr_matrix:
        if self._vectorizer is None:  # no text has a word
            return csr_matrix((len(sentences), 1), dtype=np.float32)
        return self._vectorizer.transform(sentences)


def _fit_tfidf(sentences: Sequence[str], least: int) -> TfidfVectorizer | None:
    """Count the words that are in at least `least` texts; None if there is no such word."""
    vectorizer = TfidfVectorizer(
        tokenizer=words,
        lowercase=False,
        token_pattern=None,
        ngram_range=(1, 2),
        sublinear_tf=True,
        min_df=least,
        max_features=LARGEST_VOCABULARY,
        dtype=np.float32,
    )
    try:
        return vectorizer.fit(sentences)
    except ValueError:  # scikit-learn's "empty vocabulary" or "no terms remain"
        return None
