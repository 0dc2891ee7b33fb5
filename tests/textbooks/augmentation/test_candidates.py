"""Masked-LM candidates, with WordPiece and byte-level BPE, match those of one word at a time."""

import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoModelForMaskedLM, AutoTokenizer

from conftest import ENDINGS, MEALS, make_meals
from textbook.errors import UserError
from textbook.textbooks.augmentation.candidates import MaskedLm, Span, double, load_masked_lm, predict_candidates

CPU = torch.device("cpu")
SENTENCE = "the catish likes (fresh) bread very much."


@pytest.fixture(scope="module")
def lm(masked_lm: Path) -> MaskedLm:
    return load_masked_lm(masked_lm, CPU)


def span_of(sentence: str, word: str) -> Span:
    start = sentence.index(word)
    return start, start + len(word)


def candidates_of(lm: MaskedLm, sentence: str, word: str, k: int) -> list[str]:
    (candidates,) = predict_candidates(lm, [(double(lm, [sentence])[0], span_of(sentence, word))], k=k, batch=8)
    return candidates


def reference_candidates(lm: MaskedLm, sentence: str, word: str, k: int) -> set[str]:
    """Predict one word as TinyBERT does, with tokens assembled by hand, the whole model and a batch of one."""
    tokenizer = lm.tokenizer
    original = tokenizer.tokenize(f" {sentence}")
    (place,) = (n for n, piece in enumerate(original) if piece.lstrip("Ġ") == word)
    masked = [*original[:place], tokenizer.mask_token, *original[place + 1 :]]
    vocabulary = tokenizer.get_vocab()
    if "[CLS]" in vocabulary:
        tokens = ["[CLS]", *masked, "[SEP]", *original, "[SEP]"]
        segments = {"token_type_ids": torch.tensor([[0] * (len(masked) + 2) + [1] * (len(original) + 1)])}
    else:
        tokens, segments = ["<s>", *masked, "</s>", "</s>", *original, "</s>"], {}
    ids = torch.tensor([tokenizer.convert_tokens_to_ids(tokens)[: lm.max_length]])
    segments = {name: types[:, : lm.max_length] for name, types in segments.items()}
    with torch.no_grad():
        logits = lm.model(input_ids=ids, **segments).logits[0, place + 1]
    pieces = tokenizer.convert_ids_to_tokens(logits.topk(k).indices.tolist())
    pieces = [piece for piece in pieces if piece not in tokenizer.all_special_tokens]
    if "[CLS]" in vocabulary:
        return {piece for piece in pieces if not piece.startswith("##")}
    after_space = {piece[1:] for piece in pieces if piece.startswith("Ġ") and piece != "Ġ"}
    if original[place].startswith("Ġ"):
        return after_space
    return after_space | {piece for piece in pieces if f"Ġ{piece}" in vocabulary}


def test_places_point_to_the_tokens_of_single_token_words(lm: MaskedLm) -> None:
    (doubled,) = double(lm, [SENTENCE])
    for word in ("likes", "fresh", "bread", "very", "much"):
        assert lm.tokenizer.decode([doubled.ids[doubled.places[span_of(SENTENCE, word)]]]).strip() == word


@pytest.mark.parametrize("word", ["catish", "unheard", "breadlet"])
def test_words_of_several_tokens_and_unknown_words_have_no_place(lm: MaskedLm, word: str) -> None:
    sentence = f"the cat likes {word} very much."
    (doubled,) = double(lm, [sentence])
    assert span_of(sentence, word) not in doubled.places
    assert span_of(sentence, "likes") in doubled.places


@pytest.mark.parametrize("kind", MEALS)
def test_the_model_predicts_words_that_fit(lm: MaskedLm, kind: str) -> None:
    for sentence in ("the dog finds sour meat.", "the dog finds (sour) meat very much."):
        (word,) = set(MEALS[kind]) & set(sentence.replace("(", " ").replace(")", " ").replace(".", " ").split())
        assert set(candidates_of(lm, sentence, word, 5)) == set(MEALS[kind])


def test_tokens_that_continue_a_word_are_not_candidates(lm: MaskedLm) -> None:
    vocabulary_size = len(lm.tokenizer)
    candidates = candidates_of(lm, SENTENCE, "likes", vocabulary_size)
    assert {word for words in MEALS.values() for word in words} <= set(candidates)
    assert not set(candidates) & {*ENDINGS, *(f"##{ending}" for ending in ENDINGS)}
    assert not set(candidates) & set(lm.tokenizer.all_special_tokens)
    assert len(candidates) < vocabulary_size - len(lm.tokenizer.all_special_tokens)


def test_there_are_at_most_k_candidates(lm: MaskedLm) -> None:
    bounds = [1, 5, 10, 20, len(lm.tokenizer)]
    counts = [len(candidates_of(lm, SENTENCE, "likes", k)) for k in bounds]
    assert all(count <= k for count, k in zip(counts, bounds, strict=True))
    assert counts == sorted(counts)
    assert counts[-1] < bounds[-1]


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_batched_candidates_match_those_of_one_word_at_a_time(lm: MaskedLm, batch: int) -> None:
    sentences = [*make_meals(12, seed=9), "cat.", "the catish (fresh) dog sees, wants and likes unheard fruit!"]
    sentences.append("so " * 40 + "the cat likes fresh bread.")  # truncated within the second segment
    doubled = double(lm, sentences)
    masked = [
        (sentence, span)
        for sentence in doubled
        for span in sentence.places
        if sentence.sentence.count(sentence.sentence[slice(*span)]) == 1
    ]
    assert len(masked) > 60
    candidates = predict_candidates(lm, masked, k=15, batch=batch)
    for (sentence, (start, end)), words in zip(masked, candidates, strict=True):
        assert set(words) == reference_candidates(lm, sentence.sentence, sentence.sentence[start:end], 15)
        assert len(set(words)) == len(words)


def test_words_beyond_the_maximum_length_have_no_place(lm: MaskedLm) -> None:
    sentence = "the cat likes sour bread. " + "fresh " * 100 + "meat."
    (doubled,) = double(lm, [sentence])
    assert len(doubled.ids) == lm.max_length == 64
    assert span_of(sentence, "bread") in doubled.places
    assert span_of(sentence, "meat") not in doubled.places
    assert set(candidates_of(lm, sentence, "bread", 15)) == reference_candidates(lm, sentence, "bread", 15)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_any_text_is_accepted_and_candidates_are_words(lm: MaskedLm, sentences: list[str]) -> None:
    doubled = double(lm, sentences)
    assert [sentence.sentence for sentence in doubled] == sentences
    masked = [(sentence, span) for sentence in doubled for span in sentence.places]
    for (sentence, (start, end)), words in zip(masked, predict_candidates(lm, masked, k=3, batch=4), strict=True):
        assert 0 <= start < end <= len(sentence.sentence)
        assert all(word and word == word.strip() for word in words)


def test_an_encoder_without_a_masked_lm_head_is_refused(tiny_teacher: Path) -> None:
    with pytest.raises(
        UserError, match=r"cannot load a masked language model: missing weights: cls\.predictions\."
    ) as error:
        load_masked_lm(tiny_teacher, CPU)
    assert "\n" not in str(error.value)


def test_rows_of_a_model_without_a_token_are_no_candidates(masked_lm: Path, tmp_path: Path) -> None:
    """DeBERTa-v3 has 128,100 rows for 128,001 tokens."""
    model, tokenizer = AutoModelForMaskedLM.from_pretrained(masked_lm), AutoTokenizer.from_pretrained(masked_lm)
    model.resize_token_embeddings(len(tokenizer) + 3)
    with torch.no_grad():
        model.get_output_embeddings().bias[-3:] = 1000
    for part in (model, tokenizer):
        part.save_pretrained(tmp_path)
    larger = load_masked_lm(tmp_path, CPU)
    assert candidates_of(larger, SENTENCE, "bread", k=3) == []
    as_before = candidates_of(load_masked_lm(masked_lm, CPU), SENTENCE, "bread", k=2)
    assert candidates_of(larger, SENTENCE, "bread", k=5) == as_before


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(masked_lm: Path, tmp_path: Path) -> None:
    shutil.copytree(masked_lm, tmp_path / "lm")
    tokenizer = AutoTokenizer.from_pretrained(masked_lm)
    tokenizer.add_tokens(["gamma"])
    tokenizer.save_pretrained(tmp_path / "lm")
    with pytest.raises(UserError, match=r"its tokenizer has \d+ tokens, and the model only \d+: tokens were added"):
        load_masked_lm(tmp_path / "lm", CPU)


def test_a_folder_without_a_model_and_pickled_weights_are_refused(masked_lm: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot load a masked language model"):
        load_masked_lm(tmp_path, CPU)
    for path in masked_lm.glob("*.json"):
        (tmp_path / path.name).write_text(path.read_text())
    torch.save(load_masked_lm(masked_lm, CPU).model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="cannot load a masked language model"):
        load_masked_lm(tmp_path, CPU)
