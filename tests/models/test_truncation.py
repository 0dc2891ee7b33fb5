"""Encoders of every family are cut to their first layers."""

import pytest
import torch
from toy_models import CONFIGS, write_model

from textbook.models.classifier import load_classifier
from textbook.models.encoder import load_encoder, load_tokenizer
from textbook.models.truncation import keep_first_layers


def states(folder, count=None):
    """The hidden states of a text before the first layer and after each of the layers."""
    encoder = load_encoder(folder).eval()
    ids = torch.tensor([load_tokenizer(folder)("the film is great")["input_ids"]])
    return encoder(input_ids=ids, output_hidden_states=True).hidden_states


@pytest.mark.parametrize("family", CONFIGS)
def test_the_first_layers_are_kept_and_load_with_a_head(family, tmp_path):
    write_model(tmp_path / "whole", family)
    cut = keep_first_layers(load_encoder(tmp_path / "whole"), 1)
    cut.save_pretrained(tmp_path / "cut")
    load_tokenizer(tmp_path / "whole").save_pretrained(tmp_path / "cut")
    before, after = states(tmp_path / "whole"), states(tmp_path / "cut")
    assert (len(before), len(after)) == (3, 2)
    expected = before[1]
    if family == "modernbert":  # normalises its last hidden states
        expected = torch.nn.functional.layer_norm(expected, expected.shape[-1:], eps=1e-5)
    torch.testing.assert_close(after[1], expected)
    assert load_classifier(tmp_path / "cut", "ab", seed=0).config.num_hidden_layers == 1


@pytest.mark.parametrize("count", [2, 5])
def test_an_encoder_with_fewer_layers_is_left_whole(tiny_teacher, count):
    cut = keep_first_layers(load_encoder(tiny_teacher), count)
    assert cut.config.num_hidden_layers == len(cut.encoder.layer) == 2
