import numpy as np
import pytest

from textbook.errors import UserError
from textbook.models.encoder import load_tokenizer
from textbook.training.tokens import collate, open_tokens, save_tokens, tokenize

SENTENCES = ["the film is great", "dull", "a very slow story with poor music and the actor was not in the scene"]


def test_tokens_are_those_of_the_tokenizer_and_survive_the_disk(tiny_teacher, tmp_path):
    tokenizer = load_tokenizer(tiny_teacher)
    save_tokens(tokenize(tokenizer, SENTENCES, None, 10), tmp_path / "tokens")
    tokens = open_tokens(tmp_path / "tokens")
    expected = tokenizer(SENTENCES, truncation=True, max_length=10)["input_ids"]
    found = [tokens.ids[start:end].tolist() for start, end in zip(tokens.offsets, tokens.offsets[1:], strict=False)]
    assert found == expected
    assert tokens.lengths().max() == 10
    assert tokens.ids.dtype == np.uint16


def test_a_batch_is_what_the_tokenizer_would_pad(tiny_teacher):
    tokenizer = load_tokenizer(tiny_teacher)
    tokens = tokenize(tokenizer, SENTENCES, SENTENCES[::-1], 20)
    rows = np.array([2, 0])
    expected = tokenizer(
        [SENTENCES[row] for row in rows],
        [SENTENCES[::-1][row] for row in rows],
        truncation=True,
        max_length=20,
        padding=True,
        return_tensors="pt",
    )
    found = collate(tokens, rows, tokenizer.pad_token_id)
    for name in ("input_ids", "attention_mask", "token_type_ids"):
        assert found[name].tolist() == expected[name].tolist()


def test_a_truncated_token_file_is_refused(tiny_teacher, tmp_path):
    folder = tmp_path / "tokens"
    save_tokens(tokenize(load_tokenizer(tiny_teacher), SENTENCES, None, 10), folder)
    whole = (folder / "ids.npy").read_bytes()
    (folder / "ids.npy").write_bytes(whole[:-4])
    with pytest.raises(UserError, match="tokens"):
        open_tokens(folder)
    np.save(folder / "ids.npy", np.zeros(2, np.uint16))
    with pytest.raises(UserError, match="empty or damaged"):
        open_tokens(folder)


def test_an_empty_token_file_is_refused(tiny_teacher, tmp_path):
    save_tokens(tokenize(load_tokenizer(tiny_teacher), [], None, 10), tmp_path / "tokens")
    with pytest.raises(UserError, match="empty or damaged"):
        open_tokens(tmp_path / "tokens")
