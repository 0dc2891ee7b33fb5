"""Features of TF-IDF."""

import numpy as np
import pytest

from textbook.baselines.tfidf import TfidfFeatures

TEXTS = ["a dull film", "a dull film", "a great plot", "A GREAT plot!", "the other"]


def test_words_and_pairs_of_words_that_are_in_two_texts_count():
    features = TfidfFeatures((["a dull film", "a dull plot", "so great"], None))
    assert features.parameters == 3  # a, dull, a dull
    assert features.bytes == 3 * 4 + len("a dull a dull ")
    assert features((["a DULL dog"], None)).nnz == 3
    assert features((["nothing known"], None)).nnz == 0


def test_counts_are_sublinear_and_rows_have_length_one():
    features = TfidfFeatures((["good film", "good film now", "bad film", "bad film now"], None))
    row = features((["good good good film"], None)).toarray()[0]
    assert np.linalg.norm(row) == pytest.approx(1, abs=1e-6)
    once = features((["good film"], None)).toarray()[0]
    good, film = sorted(row.nonzero()[0], key=lambda column: -row[column])[:2]
    assert row[good] / row[film] == pytest.approx(once[good] / once[film] * (1 + np.log(3)), rel=1e-4)


def test_a_pair_has_the_features_of_both_their_product_and_their_difference():
    features = TfidfFeatures((TEXTS, TEXTS[::-1]))
    u, v = (features((part, None)).toarray() for part in (TEXTS, TEXTS[::-1]))
    both = features((TEXTS, TEXTS[::-1])).toarray()
    np.testing.assert_allclose(both, np.concatenate([u, v, u * v, abs(u - v)], axis=1), atol=1e-6)


def test_chinese_is_divided_into_words():
    features = TfidfFeatures((["电影很好看", "电影很无聊", "这部电影很好看"], None))
    assert features((["电影"], None)).nnz == 1


@pytest.mark.parametrize("texts", [["!!!", "..."], ["one", "two"], ["one"]])
def test_texts_without_words_in_common_are_no_error(texts):
    features = TfidfFeatures((texts, None))
    assert features((["one !", "?"], None)).shape == (2, max(1, features.parameters))
