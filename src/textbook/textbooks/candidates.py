"""What a masked language model puts in the place of a word.

Following TinyBERT (Jiao et al. 2020): the model reads the sentence with the word masked and, as second segment, the
whole sentence; the candidates are its k most probable pieces there, without those that only continue a word.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers.models import WordPiece
from torch import Tensor, nn
from transformers import AutoModelForMaskedLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from textbook.errors import UserError
from textbook.textbooks.onednn import use_onednn
from textbook.textbooks.vectors import SPACE_MARKS

Span = tuple[int, int]

_BEHIND_ATTENTION = re.compile(r"\.layer\.\d+\.attention\.output$")


@dataclass(frozen=True)
class MaskedLm:
    """A masked language model and what its vocabulary means.

    `after_space` and `after_other` have, by token id, the word that a piece is after a space and after punctuation:
    None if it continues a word, or is none at all. WordPiece marks what continues a word, so there both are the same;
    byte-level BPE marks what follows a space, and a piece without the mark is a word in `(word)`, but not in `a word`.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    after_space: list[str | None]
    after_other: list[str | None]
    max_length: int
    device: torch.device


@dataclass(frozen=True)
class Doubled:
    """A sentence twice, as first and as second segment: token ids and segments [tokens]."""

    sentence: str
    ids: NDArray[np.int64]
    types: NDArray[np.int64]
    places: dict[Span, int]
    """The token of each word of the first segment that is one piece, by where the word is in the sentence."""


def load_masked_lm(folder: Path, device: torch.device) -> MaskedLm:
    """Load a masked language model of a Hugging Face folder, from safetensors only, in fp32.

    Not in bf16: its rounding depends on the batch, and so would the candidates.

    Raises:
        UserError: there is none, or it lacks the masked-LM head or the mask token.
    """
    try:
        model, info = AutoModelForMaskedLM.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: no masked language model can be loaded: {str(error).splitlines()[0]}") from None
    if info["missing_keys"]:  # they would be random
        missing = sorted(info["missing_keys"])
        raise UserError(f"{folder}: is no whole masked language model; it lacks {', '.join(missing[:3])}")
    if tokenizer.mask_token_id is None:
        raise UserError(f"{folder}: its tokenizer has no mask token")
    after_space, after_other = _vocabulary(tokenizer)
    model = model.to(device).eval()
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
    """Tokenise sentences as first and second segment; what exceeds the model's length is cut off the end."""
    spaced = [f" {sentence}" for sentence in sentences]  # so that the first word begins like all others
    found = []
    for text, encoding in zip(spaced, lm.tokenizer(spaced, spaced).encodings or [], strict=True):
        ids = encoding.ids[: lm.max_length]
        tokens: defaultdict[Span, list[int]] = defaultdict(list)
        for place, segment, (start, end) in zip(range(len(ids)), encoding.sequence_ids, encoding.offsets, strict=False):
            if segment == 0:
                start += text[start:end].startswith(" ")  # some tokenizers count the space before a word to it
                tokens[start - 1, end - 1].append(place)
        pieces = {span: places[0] for span, places in tokens.items() if len(places) == 1}
        places = {
            span: place for span, place in pieces.items() if _meanings(lm, text[1:], span)[ids[place]] is not None
        }
        found.append(Doubled(text[1:], np.array(ids), np.array(encoding.type_ids[: lm.max_length]), places))
    return found


@torch.inference_mode()
def predict(lm: MaskedLm, masked: Sequence[tuple[Doubled, Span]], *, k: int, batch: int) -> list[list[str]]:
    """The candidates of each word given by its sentence and its place there, one of the sentence's `places`.

    Sentences of similar length are predicted together, `batch` at a time. Of the k most probable pieces those that
    start a word are given in the order of the vocabulary, not of their probability: rounding, which depends on the
    batch, can swap two that are about as probable.
    """
    order = np.argsort([len(sentence.ids) for sentence, _ in masked], kind="stable")
    found: list[list[str]] = [[] for _ in masked]
    for start in range(0, len(order), batch):
        numbers = order[start : start + batch].tolist()
        for number, pieces in zip(numbers, _top(lm, [masked[number] for number in numbers], k), strict=True):
            sentence, span = masked[number]
            meanings = _meanings(lm, sentence.sentence, span)
            found[number] = list(dict.fromkeys(word for piece in pieces if (word := meanings[piece]) is not None))
    return found


def _top(lm: MaskedLm, rows: Sequence[tuple[Doubled, Span]], k: int) -> list[list[int]]:
    """The ids of the k most probable pieces in each row's masked place, in ascending order."""
    lengths = np.array([len(sentence.ids) for sentence, _ in rows])
    valid = np.arange(lengths.max()) < lengths[:, None]
    ids = np.full(valid.shape, lm.tokenizer.pad_token_id)
    types = np.zeros(valid.shape, np.int64)
    ids[valid] = np.concatenate([sentence.ids for sentence, _ in rows])
    types[valid] = np.concatenate([sentence.types for sentence, _ in rows])
    places = np.array([sentence.places[span] for sentence, span in rows])
    ids[np.arange(len(rows)), places] = lm.tokenizer.mask_token_id
    inputs = {"input_ids": ids, "attention_mask": valid.astype(np.int64), "token_type_ids": types}
    known = {
        name: torch.from_numpy(part).to(lm.device)
        for name, part in inputs.items()
        if name in lm.tokenizer.model_input_names
    }
    rows_and_places = (torch.arange(len(rows)), torch.from_numpy(places))
    logits = logits_at(lm.model, known, *(part.to(lm.device) for part in rows_and_places))
    top: list[list[int]] = logits.topk(min(k, logits.shape[1])).indices.sort().values.tolist()
    return top


def logits_at(model: PreTrainedModel, inputs: dict[str, Tensor], rows: Tensor, places: Tensor) -> Tensor:
    """What a masked language model predicts at some places of a batch; what only the others need is never computed.

    Args:
        inputs: token ids and the like, each [batch, seq].
        rows, places: where: `input_ids[rows, places]`; both [n].

    Returns:
        logits [n, vocabulary].
    """

    def keep(_module: nn.Module, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(state[rows, places].unsqueeze(1) for state in states)

    hook = _behind_mixing(model).register_forward_pre_hook(keep)
    try:
        logits: Tensor = model(**inputs).logits
    finally:
        hook.remove()
    return logits[:, 0]


def _behind_mixing(model: PreTrainedModel) -> nn.Module:
    """A module from which on no place reads another.

    That is what follows the last attention, where it has the name that BERT, RoBERTa, XLM-R and ELECTRA give it; else
    the projection to the vocabulary.
    """
    behind = [module for name, module in model.named_modules() if _BEHIND_ATTENTION.search(name)]
    decoder: nn.Module = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    return behind[-1] if behind else decoder


def _meanings(lm: MaskedLm, sentence: str, span: Span) -> list[str | None]:
    """What each piece of the vocabulary means in the given place of a sentence."""
    start = span[0]
    return lm.after_space if start == 0 or sentence[start - 1].isspace() else lm.after_other


def _vocabulary(tokenizer: PreTrainedTokenizerBase) -> tuple[list[str | None], list[str | None]]:
    """What each piece means after a space and after anything else; see `MaskedLm`."""
    pieces = [str(tokenizer.convert_ids_to_tokens(number)) for number in range(len(tokenizer))]
    special = set(tokenizer.all_special_tokens)
    model = tokenizer.backend_tokenizer.model
    if isinstance(model, WordPiece):
        prefix = model.continuing_subword_prefix
        words = [None if piece in special or piece.startswith(prefix) else piece for piece in pieces]
        return words, words
    plain = [None if piece in special else tokenizer.convert_tokens_to_string([piece]).strip() for piece in pieces]
    plain = [word if word and "\N{REPLACEMENT CHARACTER}" not in word else None for word in plain]
    after_space = [word if piece.startswith(SPACE_MARKS) else None for piece, word in zip(pieces, plain, strict=True)]
    known = set(after_space)
    return after_space, [word if word in known else None for word in plain]


def _max_length(model: nn.Module, tokenizer: PreTrainedTokenizerBase) -> int:
    """How many tokens the model has positions for; RoBERTa's begin behind that of padding."""
    limits = [tokenizer.model_max_length]
    for name, layer in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(layer, nn.Embedding):
            limits.append(layer.num_embeddings - (0 if layer.padding_idx is None else layer.padding_idx + 1))
    return min(limits)
