"""Maximum input length of each architecture."""

import pytest
from transformers import AutoConfig

from textbook.models.positions import max_tokens


@pytest.mark.parametrize(
    ("family", "expected"),
    [("bert", 514), ("roberta", 512), ("mpnet", 512), ("deberta-v2", None), ("modernbert", None)],
)
def test_the_maximum_input_length_of_each_architecture(family, expected):
    assert max_tokens(AutoConfig.for_model(family, pad_token_id=1, max_position_embeddings=514)) == expected
