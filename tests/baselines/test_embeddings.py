"""Features from a frozen encoder."""

import numpy as np
import pytest
import torch

from conftest import make_sentences
from textbook.baselines.embeddings import EmbeddingFeatures
from textbook.errors import UserError
from textbook.models.encoder import load_encoder, load_tokenizer
from textbook.training.engine.device import Device

CPU = Device(torch.device("cpu"), bf16=False)
FIRST, SECOND = make_sentences(70, seed=0), make_sentences(70, seed=1)


def one_by_one(folder, texts):
    """The mean hidden state of each text, without batches and padding."""
    encoder, tokenizer = load_encoder(folder).eval(), load_tokenizer(folder)
    with torch.no_grad():
        return np.stack(
            [encoder(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0).numpy() for text in texts]
        )


def test_embeddings_are_means_over_tokens_and_standardised_with_the_training_texts(tiny_teacher):
    features = EmbeddingFeatures(tiny_teacher, 64, CPU)
    train = features.standardise((FIRST, None))
    expected = one_by_one(tiny_teacher, FIRST)
    mean, spread = expected.mean(0), expected.std(0)
    np.testing.assert_allclose(train, (expected - mean) / spread, atol=2e-3)
    np.testing.assert_allclose(features((SECOND, None)), (one_by_one(tiny_teacher, SECOND) - mean) / spread, atol=2e-3)


def test_pairs_have_both_embeddings_their_difference_and_their_product(tiny_teacher):
    features = EmbeddingFeatures(tiny_teacher, 64, CPU)
    pairs = features.standardise((FIRST, SECOND))
    u, v = one_by_one(tiny_teacher, FIRST), one_by_one(tiny_teacher, SECOND)
    expected = np.concatenate([u, v, abs(u - v), u * v], axis=1)
    np.testing.assert_allclose(pairs, (expected - expected.mean(0)) / expected.std(0), atol=2e-3)


def test_the_size_is_that_of_the_encoder(tiny_teacher):
    features = EmbeddingFeatures(tiny_teacher, 64, CPU)
    assert features.parameters == load_encoder(tiny_teacher).num_parameters()
    assert features.bytes == (tiny_teacher / "model.safetensors").stat().st_size


def test_equal_texts_do_not_divide_by_zero(tiny_teacher):
    features = EmbeddingFeatures(tiny_teacher, 64, CPU)
    assert np.isfinite(features.standardise((["a film"] * 3, ["a film"] * 3))).all()


def test_longer_texts_than_the_encoder_reads_are_refused(tiny_teacher):
    features = EmbeddingFeatures(tiny_teacher, 128, CPU)
    with pytest.raises(UserError, match=r"adapt\.max_length must not exceed that"):
        features.standardise((["film " * 100], None))
