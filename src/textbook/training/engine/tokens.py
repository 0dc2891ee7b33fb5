"""Tokenised texts as flat token ids and offsets, in memory or memory-mapped."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from textbook.errors import UserError
from textbook.files import read_json

CHUNK = 10_000  # texts that are tokenised at a time
SUMMARY = "tokens.json"
ARRAYS = ("ids", "types", "offsets")


@dataclass(frozen=True)
class Tokens:
    """Token ids of texts, special tokens included.

    Text n is `ids[offsets[n]:offsets[n + 1]]`; `types` has the segment of each token, 0 for the first sentence and 1
    for the second of a pair. Shapes: `ids` and `types` [tokens], `offsets` [texts + 1].
    """

    ids: NDArray[np.unsignedinteger]
    types: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    largest: int
    """The largest token id."""
    longest: int
    """Tokens of the longest text."""
    folder: Path | None = None
    """The folder of the memory-mapped files; None if the arrays are in memory."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __reduce__(self) -> tuple[Any, ...]:  # memory-mapped files are pickled as a path
        if self.folder is not None:
            return open_tokens, (self.folder,)
        return Tokens, (self.ids, self.types, self.offsets, self.largest, self.longest)

    def head(self, percent: float) -> "Tokens":
        """The first `percent` percent of the texts, at least one text."""
        if percent == 100:
            return self
        count = ceil(len(self) * percent / 100)
        return Tokens(self.ids, self.types, self.offsets[: count + 1], self.largest, self.longest)

    def lengths(self) -> NDArray[np.int64]:
        """Number of tokens of each text."""
        return np.diff(self.offsets)


def tokenize(
    tokenizer: PreTrainedTokenizerBase, first: Sequence[str], second: Sequence[str] | None, max_length: int
) -> Tokens:
    """Tokenise sentences, or pairs if `second` is given. Longer texts are truncated to `max_length` tokens."""
    slices = [slice(start, start + CHUNK) for start in range(0, max(1, len(first)), CHUNK)]
    chunks = [
        encode(tokenizer, first[chunk], None if second is None else second[chunk], max_length) for chunk in slices
    ]
    ids, types, lengths = (np.concatenate(parts) for parts in zip(*chunks, strict=True))
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    return Tokens(ids, types, offsets, int(ids.max(initial=0)), int(lengths.max(initial=0)))


def encode(
    tokenizer: PreTrainedTokenizerBase, first: Sequence[str], second: Sequence[str] | None, max_length: int
) -> tuple[NDArray[np.unsignedinteger], NDArray[np.uint8], NDArray[np.int64]]:
    """Token ids and segments of all texts as flat arrays [tokens], and the number of tokens of each text [texts]."""
    if tokenizer.is_fast:  # calling the multi-threaded Rust backend directly takes half the time
        backend = tokenizer.backend_tokenizer
        backend.no_padding()
        backend.enable_truncation(max_length)
        encoded = backend.encode_batch_fast(list(first) if second is None else list(zip(first, second, strict=True)))
        backend.no_truncation()
        ids, types = [text.ids for text in encoded], [text.type_ids for text in encoded]
    else:
        pairs = None if second is None else list(second)
        rows = tokenizer(list(first), pairs, truncation=True, max_length=max_length, return_token_type_ids=True)
        ids, types = rows["input_ids"], rows["token_type_ids"]
    lengths = np.fromiter(map(len, ids), np.int64, len(ids))
    count, dtype = int(lengths.sum()), np.uint16 if len(tokenizer) <= 2**16 else np.uint32
    flat: NDArray[np.unsignedinteger] = np.fromiter(chain.from_iterable(ids), dtype, count)
    return flat, np.fromiter(chain.from_iterable(types), np.uint8, count), lengths


def open_tokens(folder: Path) -> Tokens:
    """Memory-map the token files of a folder.

    Raises:
        UserError: the files are missing, empty, truncated or inconsistent.
    """
    try:
        ids, types, offsets = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS)
        summary = read_json(folder / SUMMARY)
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: is not a token file ({error}); remove the folder and run again") from None
    counts = {"texts": len(offsets) - 1, "tokens": len(ids)}
    if counts["texts"] < 1 or not counts.items() <= summary.items() or not offsets[-1] == len(ids) == len(types):
        raise UserError(f"{folder}: is empty or damaged; remove the folder and run again")
    return Tokens(ids, types, offsets, summary["largest"], summary["longest"], folder)


def collate(tokens: Tokens, rows: NDArray[np.int64], pad_id: int, multiple: int = 1) -> dict[str, Tensor]:
    """The batch of the texts `rows`, padded to the length of the longest one, rounded up to a multiple of `multiple`.

    Returns:
        `input_ids`, `attention_mask` and `token_type_ids`, each int64 [batch, seq].
    """
    starts, lengths = tokens.offsets[rows], tokens.offsets[rows + 1] - tokens.offsets[rows]
    valid = np.arange(-(-lengths.max() // multiple) * multiple) < lengths[:, None]
    flat = np.concatenate([np.arange(start, start + length) for start, length in zip(starts, lengths, strict=True)])
    ids = np.full(valid.shape, pad_id, np.int64)
    types = np.zeros(valid.shape, np.int64)
    ids[valid], types[valid] = tokens.ids[flat], tokens.types[flat]
    return {
        "input_ids": torch.from_numpy(ids),
        "attention_mask": torch.from_numpy(valid.astype(np.int64)),
        "token_type_ids": torch.from_numpy(types),
    }
