"""What a masked language model proposes, for WordPiece and byte-level BPE, against one word at a time."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import (
    BertConfig,
    BertForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    MPNetConfig,
    MPNetForMaskedLM,
)

from conftest import ENDINGS, MEALS, make_meals
from textbook.errors import UserError
from textbook.textbooks.candidates import MaskedLm, Span, double, load_masked_lm, logits_at, predict

CPU = torch.device("cpu")
SHAPE = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 64}
SENTENCE = "the catish likes (fresh) bread very much."


@pytest.fixture(scope="module")
def lm(masked_lm: Path) -> MaskedLm:
    return load_masked_lm(masked_lm, CPU)


def span_of(sentence: str, word: str) -> Span:
    start = sentence.index(word)
    return start, start + len(word)


def propose(lm: MaskedLm, sentence: str, word: str, k: int) -> list[str]:
    (found,) = predict(lm, [(double(lm, [sentence])[0], span_of(sentence, word))], k=k, batch=8)
    return found


def propose_plainly(lm: MaskedLm, sentence: str, word: str, k: int) -> set[str]:
    """The same as TinyBERT has it: tokens put together by hand, the whole model, alone in its batch."""
    tokenizer = lm.tokenizer
    whole = tokenizer.tokenize(f" {sentence}")
    (place,) = (n for n, piece in enumerate(whole) if piece.lstrip("Ġ") == word)
    masked = [*whole[:place], tokenizer.mask_token, *whole[place + 1 :]]
    vocabulary = tokenizer.get_vocab()
    if "[CLS]" in vocabulary:
        tokens = ["[CLS]", *masked, "[SEP]", *whole, "[SEP]"]
        segments = {"token_type_ids": torch.tensor([[0] * (len(masked) + 2) + [1] * (len(whole) + 1)])}
    else:
        tokens, segments = ["<s>", *masked, "</s>", "</s>", *whole, "</s>"], {}
    ids = torch.tensor([tokenizer.convert_tokens_to_ids(tokens)[: lm.max_length]])
    segments = {name: types[:, : lm.max_length] for name, types in segments.items()}
    with torch.no_grad():
        logits = lm.model(input_ids=ids, **segments).logits[0, place + 1]
    pieces = tokenizer.convert_ids_to_tokens(logits.topk(k).indices.tolist())
    pieces = [piece for piece in pieces if piece not in tokenizer.all_special_tokens]
    if "[CLS]" in vocabulary:
        return {piece for piece in pieces if not piece.startswith("##")}
    after_space = {piece[1:] for piece in pieces if piece.startswith("Ġ") and piece != "Ġ"}
    if whole[place].startswith("Ġ"):
        return after_space
    return after_space | {piece for piece in pieces if f"Ġ{piece}" in vocabulary}


def test_words_of_one_piece_are_found_where_they_are(lm: MaskedLm) -> None:
    (found,) = double(lm, [SENTENCE])
    for word in ("likes", "fresh", "bread", "very", "much"):
        assert lm.tokenizer.decode([found.ids[found.places[span_of(SENTENCE, word)]]]).strip() == word


@pytest.mark.parametrize("word", ["catish", "unheard", "breadlet"])
def test_words_of_several_pieces_and_unknown_ones_are_not(lm: MaskedLm, word: str) -> None:
    sentence = f"the cat likes {word} very much."
    (found,) = double(lm, [sentence])
    assert span_of(sentence, word) not in found.places
    assert span_of(sentence, "likes") in found.places


@pytest.mark.parametrize("kind", MEALS)
def test_the_model_proposes_what_fits(lm: MaskedLm, kind: str) -> None:
    for sentence in ("the dog finds sour meat.", "the dog finds (sour) meat very much."):
        (word,) = set(MEALS[kind]) & set(sentence.replace("(", " ").replace(")", " ").replace(".", " ").split())
        assert set(propose(lm, sentence, word, 5)) == set(MEALS[kind])


def test_what_continues_a_word_is_never_proposed(lm: MaskedLm) -> None:
    everything = len(lm.tokenizer)
    found = propose(lm, SENTENCE, "likes", everything)
    assert {word for words in MEALS.values() for word in words} <= set(found)
    assert not set(found) & {*ENDINGS, *(f"##{ending}" for ending in ENDINGS)}
    assert not set(found) & set(lm.tokenizer.all_special_tokens)
    assert len(found) < everything - len(lm.tokenizer.all_special_tokens)


def test_dropping_them_leaves_fewer_than_k(lm: MaskedLm) -> None:
    bounds = [1, 5, 10, 20, len(lm.tokenizer)]
    counts = [len(propose(lm, SENTENCE, "likes", k)) for k in bounds]
    assert all(count <= k for count, k in zip(counts, bounds, strict=True))
    assert counts == sorted(counts)
    assert counts[-1] < bounds[-1]


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_batches_propose_what_one_word_at_a_time_does(lm: MaskedLm, batch: int) -> None:
    sentences = [*make_meals(12, seed=9), "cat.", "the catish (fresh) dog sees, wants and likes unheard fruit!"]
    sentences.append("so " * 40 + "the cat likes fresh bread.")  # cut off within the second segment
    doubled = double(lm, sentences)
    masked = [
        (sentence, span)
        for sentence in doubled
        for span in sentence.places
        if sentence.sentence.count(sentence.sentence[slice(*span)]) == 1
    ]
    assert len(masked) > 60
    found = predict(lm, masked, k=15, batch=batch)
    for (sentence, (start, end)), words in zip(masked, found, strict=True):
        assert set(words) == propose_plainly(lm, sentence.sentence, sentence.sentence[start:end], 15)
        assert len(set(words)) == len(words)


@pytest.mark.parametrize(
    ("model_class", "config"),
    [
        (BertForMaskedLM, BertConfig(**SHAPE)),
        (DistilBertForMaskedLM, DistilBertConfig(n_layers=2, n_heads=4, dim=32, hidden_dim=64)),
        (
            MPNetForMaskedLM,
            MPNetConfig(num_hidden_layers=2, num_attention_heads=4, hidden_size=32, intermediate_size=64),
        ),
    ],
)
def test_only_the_masked_places_are_computed_and_to_the_same_values(model_class: Any, config: Any) -> None:
    torch.manual_seed(0)
    model = model_class(config).eval()
    ids = torch.randint(5, 1000, (3, 12))
    mask = torch.tensor([[1] * 12, [1] * 9 + [0] * 3, [1] * 12])
    places = torch.tensor([3, 8, 11])
    decoded: list[torch.Size] = []
    hook = model.get_output_embeddings().register_forward_hook(lambda *args: decoded.append(args[2].shape))
    with torch.no_grad():
        found = logits_at(model, {"input_ids": ids, "attention_mask": mask}, torch.arange(len(ids)), places)
        hook.remove()
        whole = model(input_ids=ids, attention_mask=mask).logits
    torch.testing.assert_close(found, whole[torch.arange(3), places])
    assert decoded == [(3, 1, config.vocab_size)]


def test_beyond_the_models_length_nothing_is_predicted(lm: MaskedLm) -> None:
    sentence = "the cat likes sour bread. " + "fresh " * 100 + "meat."
    (found,) = double(lm, [sentence])
    assert len(found.ids) == lm.max_length == 64
    assert span_of(sentence, "bread") in found.places
    assert span_of(sentence, "meat") not in found.places
    assert set(propose(lm, sentence, "bread", 15)) == propose_plainly(lm, sentence, "bread", 15)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_any_text_is_taken_and_only_whole_pieces_of_it_are_predicted(lm: MaskedLm, sentences: list[str]) -> None:
    doubled = double(lm, sentences)
    assert [sentence.sentence for sentence in doubled] == sentences
    masked = [(sentence, span) for sentence in doubled for span in sentence.places]
    for (sentence, (start, end)), words in zip(masked, predict(lm, masked, k=3, batch=4), strict=True):
        assert 0 <= start < end <= len(sentence.sentence)
        assert all(word and word == word.strip() for word in words)


def test_an_encoder_without_a_masked_lm_head_is_refused(tiny_teacher: Path) -> None:
    with pytest.raises(UserError, match=r"is no whole masked language model; it lacks cls\.predictions\.") as error:
        load_masked_lm(tiny_teacher, CPU)
    assert "\n" not in str(error.value)


def test_a_folder_without_a_model_and_pickled_weights_are_refused(masked_lm: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no masked language model can be loaded"):
        load_masked_lm(tmp_path, CPU)
    for path in masked_lm.glob("*.json"):
        (tmp_path / path.name).write_text(path.read_text())
    torch.save(load_masked_lm(masked_lm, CPU).model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="no masked language model can be loaded"):
        load_masked_lm(tmp_path, CPU)
