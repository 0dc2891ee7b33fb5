"""Candidate replacements for a word, predicted by a masked language model.

Follows TinyBERT (Jiao et al. 2020): the input is the sentence with the word masked and, as second segment, the original
sentence. The candidates are the k most probable tokens at the mask, without those that continue a word.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers.models import WordPiece
from transformers import AutoModelForMaskedLM, PreTrainedModel, PreTrainedTokenizerBase

from textbook.errors import UserError
from textbook.models.encoder import load_tokenizer
from textbook.models.masked_lm import logits_at
from textbook.models.positions import max_tokens
from textbook.models.weights import load_model
from textbook.textbooks.augmentation.onednn import use_onednn
from textbook.textbooks.augmentation.vectors import SPACE_MARKS

Span = tuple[int, int]


@dataclass(frozen=True)
class MaskedLm:
    """A masked language model and the words that its tokens stand for.

    `after_space` and `after_other` give, by token id, the word that a token is when it follows a space or another
    character such as punctuation. The entry is None if the token continues a word or is not a word. The two lists are
    equal for WordPiece, which marks tokens that continue a word. Byte-level BPE marks tokens that follow a space: an
    unmarked token is a word in `(word)`, but not in `a word`.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    after_space: list[str | None]
    after_other: list[str | None]
    max_length: int
    device: torch.device


@dataclass(frozen=True)
class Doubled:
    """A sentence tokenised as both the first and the second segment: token ids and segment ids [tokens]."""

    sentence: str
    ids: NDArray[np.int64]
    types: NDArray[np.int64]
    places: dict[Span, int]
    """Token position of each single-token word in the first segment, by the span of the word in the sentence."""


def load_masked_lm(folder: Path, device: torch.device) -> MaskedLm:
    """Load a masked language model from a Hugging Face folder, from safetensors only, in fp32.

    With bf16 the rounding errors, and so the candidates, would depend on the batch.

    Raises:
        UserError: the folder has no masked language model that can be loaded, it lacks weights, or its tokenizer has
            no mask token, other tokens than the model, or no fast implementation.
    """
    model = load_model(AutoModelForMaskedLM, folder, "a masked language model", complete=True)
    tokenizer = load_tokenizer(folder)
    size = int(model.config.vocab_size)
    if tokenizer.mask_token_id is None:
        raise UserError(f"{folder}: its tokenizer has no mask token")
    if not tokenizer.is_fast:
        raise UserError(f"{folder}: its tokenizer has no fast implementation, which says where in a text a token is")
    if len(tokenizer) > size:
        raise UserError(
            f"{folder}: its tokenizer has {len(tokenizer)} tokens, and the model only {size}: tokens were added to one"
            " and not to the other (resize_token_embeddings)"
        )
    # A model can have more rows than its tokenizer has tokens. They stand for no word.
    after_space, after_other = ([*words, *[None] * (size - len(words))] for words in _vocabulary_words(tokenizer))
    model.to(device).eval()  # type: ignore[arg-type]
    if device.type == "cpu":
        use_onednn(model)
    return MaskedLm(
        model=model,
        tokenizer=tokenizer,
        after_space=after_space,
        after_other=after_other,
        max_length=_max_length(model, tokenizer),
        device=device,
    )


def double(lm: MaskedLm, sentences: Sequence[str]) -> list[Doubled]:
    """Tokenise each sentence as first and second segment, truncated to the model's maximum length."""
    spaced = [f" {sentence}" for sentence in sentences]  # so that the first word is tokenised like all others
    doubled = []
    for text, encoding in zip(spaced, lm.tokenizer(spaced, spaced).encodings or [], strict=True):
        ids = encoding.ids[: lm.max_length]
        tokens: defaultdict[Span, list[int]] = defaultdict(list)
        for place, segment, (start, end) in zip(range(len(ids)), encoding.sequence_ids, encoding.offsets, strict=False):
            if segment == 0:
                start += text[start:end].startswith(" ")  # some tokenizers include the preceding space in the offsets
                tokens[start - 1, end - 1].append(place)
        single = {span: places[0] for span, places in tokens.items() if len(places) == 1}
        places = {
            span: place for span, place in single.items() if _token_words(lm, text[1:], span)[ids[place]] is not None
        }
        doubled.append(Doubled(text[1:], np.array(ids), np.array(encoding.type_ids[: lm.max_length]), places))
    return doubled


@torch.inference_mode()
def predict_candidates(lm: MaskedLm, masked: Sequence[tuple[Doubled, Span]], *, k: int, batch: int) -> list[list[str]]:
    """Predict the candidates of each given word.

    Sentences of similar length are predicted together, `batch` at a time. The candidates are in vocabulary order rather
    than in order of probability, because rounding depends on the batch and can swap tokens of almost equal probability.

    Args:
        masked: the words as pairs of a sentence and a span, which must be a key of the sentence's `places`.
        k: number of most probable tokens to consider; those that are not words are dropped.
        batch: number of words predicted at a time.

    Returns:
        At most k candidates for each word.
    """
    order = np.argsort([len(sentence.ids) for sentence, _ in masked], kind="stable")
    candidates: list[list[str]] = [[] for _ in masked]
    for start in range(0, len(order), batch):
        numbers = order[start : start + batch].tolist()
        for number, tokens in zip(numbers, _top_tokens(lm, [masked[number] for number in numbers], k), strict=True):
            sentence, span = masked[number]
            words = _token_words(lm, sentence.sentence, span)
            candidates[number] = list(dict.fromkeys(word for token in tokens if (word := words[token]) is not None))
    return candidates


def _top_tokens(lm: MaskedLm, rows: Sequence[tuple[Doubled, Span]], k: int) -> list[list[int]]:
    """Ids of the k most probable tokens at the mask of each row, in ascending order."""
    lengths = np.array([len(sentence.ids) for sentence, _ in rows])
    valid = np.arange(lengths.max()) < lengths[:, None]
    ids = np.full(valid.shape, lm.tokenizer.pad_token_id)
    types = np.zeros(valid.shape, np.int64)
    ids[valid] = np.concatenate([sentence.ids for sentence, _ in rows])
    types[valid] = np.concatenate([sentence.types for sentence, _ in rows])
    places = np.array([sentence.places[span] for sentence, span in rows])
    ids[np.arange(len(rows)), places] = lm.tokenizer.mask_token_id
    inputs = {"input_ids": ids, "attention_mask": valid.astype(np.int64), "token_type_ids": types}
    accepted = {
        name: torch.from_numpy(array).to(lm.device)
        for name, array in inputs.items()
        if name in lm.tokenizer.model_input_names
    }
    rows_and_places = (torch.arange(len(rows)), torch.from_numpy(places))
    logits = logits_at(lm.model, accepted, *(tensor.to(lm.device) for tensor in rows_and_places))
    top: list[list[int]] = logits.topk(min(k, logits.shape[1])).indices.sort().values.tolist()
    return top


def _token_words(lm: MaskedLm, sentence: str, span: Span) -> list[str | None]:
    """The word that each token of the vocabulary is at the given span of a sentence; see `MaskedLm`."""
    start = span[0]
    return lm.after_space if start == 0 or sentence[start - 1].isspace() else lm.after_other


def _vocabulary_words(tokenizer: PreTrainedTokenizerBase) -> tuple[list[str | None], list[str | None]]:
    """The word that each token is after a space, and after any other character; see `MaskedLm`."""
    pieces = [str(tokenizer.convert_ids_to_tokens(number)) for number in range(len(tokenizer))]
    special = set(tokenizer.all_special_tokens)
    model = tokenizer.backend_tokenizer.model
    if isinstance(model, WordPiece):
        prefix = model.continuing_subword_prefix
        words = [None if piece in special or piece.startswith(prefix) else piece for piece in pieces]
        return words, words
    decoded = [None if piece in special else tokenizer.convert_tokens_to_string([piece]).strip() for piece in pieces]
    decoded = [word if word and "\N{REPLACEMENT CHARACTER}" not in word else None for word in decoded]
    after_space = [word if piece.startswith(SPACE_MARKS) else None for piece, word in zip(pieces, decoded, strict=True)]
    known = set(after_space)
    return after_space, [word if word in known else None for word in decoded]


def _max_length(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """Maximum input length in tokens that both the model and its tokenizer support."""
    limit = max_tokens(model.config)
    return int(tokenizer.model_max_length) if limit is None else min(limit, tokenizer.model_max_length)
