import numpy as np
import pytest
from transformers import CanineTokenizer

from textbook.models.encoder import load_tokenizer
from textbook.training.engine.tokens import collate, tokenize

SENTENCES = ["the film is great", "dull", "a very slow story with poor music and the actor was not in the scene"]


@pytest.mark.parametrize("second", [None, SENTENCES[::-1]])
def test_tokens_match_the_tokenizer(tiny_teacher, second):
    tokenizer = load_tokenizer(tiny_teacher)
    tokens = tokenize(tokenizer, SENTENCES, second, 10)
    expected = tokenizer(SENTENCES, second, truncation=True, max_length=10)
    for name, flat in (("input_ids", tokens.ids), ("token_type_ids", tokens.types)):
        assert [flat[a:b].tolist() for a, b in zip(tokens.offsets, tokens.offsets[1:], strict=False)] == expected[name]
    assert tokens.lengths().max() == tokens.longest == 10
    assert tokens.largest == max(map(max, expected["input_ids"]))
    assert tokens.ids.dtype == np.uint16


def test_the_tokenizer_is_not_changed(tiny_teacher):
    tokenizer = load_tokenizer(tiny_teacher)
    before = tokenizer.backend_tokenizer.to_str()
    tokenize(tokenizer, SENTENCES, None, 10)
    assert tokenizer.backend_tokenizer.to_str() == before


@pytest.mark.parametrize("multiple", [1, 16])
def test_a_batch_is_padded_like_the_tokenizer_pads_it(tiny_teacher, multiple):
    tokenizer = load_tokenizer(tiny_teacher)
    tokens = tokenize(tokenizer, SENTENCES, SENTENCES[::-1], 32)
    rows = np.array([2, 0])
    expected = tokenizer(
        [SENTENCES[row] for row in rows],
        [SENTENCES[::-1][row] for row in rows],
        truncation=True,
        max_length=32,
        padding=True,
        pad_to_multiple_of=multiple,
        return_tensors="pt",
    )
    batch = collate(tokens, rows, tokenizer.pad_token_id, multiple)
    for name in ("input_ids", "attention_mask", "token_type_ids"):
        assert batch[name].tolist() == expected[name].tolist()


@pytest.mark.parametrize("second", [None, SENTENCES[::-1]])
def test_tokens_match_a_slow_tokenizer_with_a_large_vocabulary(second):
    tokenizer = CanineTokenizer()
    tokens = tokenize(tokenizer, SENTENCES, second, 20)
    expected = tokenizer(SENTENCES, second, truncation=True, max_length=20)
    for name, flat in (("input_ids", tokens.ids), ("token_type_ids", tokens.types)):
        assert [flat[a:b].tolist() for a, b in zip(tokens.offsets, tokens.offsets[1:], strict=False)] == expected[name]
    assert tokens.ids.dtype == np.uint32
