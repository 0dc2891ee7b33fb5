"""Tokenised text as flat token ids and offsets, in memory or mapped from disk."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase

from textbook.errors import UserError
from textbook.files import write_aside

CHUNK = 10_000


@dataclass(frozen=True)
class Tokens:
    """Token ids of texts, special tokens included.

    Text n is `ids[offsets[n]:offsets[n + 1]]`; `types` has the segment of each token, 0 for the first sentence and 1
    for the second of a pair. Shapes: `ids` and `types` [tokens], `offsets` [texts + 1].
    """

    ids: NDArray[np.unsignedinteger]
    types: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text."""
        return np.diff(self.offsets)


def tokenize(
    tokenizer: PreTrainedTokenizerBase, first: Sequence[str], second: Sequence[str] | None, max_length: int
) -> Tokens:
    """Tokenise sentences, or pairs if there are second ones; longer texts are cut to `max_length` tokens."""
    dtype = np.uint16 if len(tokenizer) <= 2**16 else np.uint32
    ids: list[NDArray[np.unsignedinteger]] = [np.zeros(0, dtype)]
    types: list[NDArray[np.uint8]] = [np.zeros(0, np.uint8)]
    lengths: list[int] = []
    for start in tqdm(range(0, len(first), CHUNK), desc="tokenize", unit="chunk", disable=len(first) <= CHUNK):
        pairs = None if second is None else list(second[start : start + CHUNK])
        encoded = tokenizer(
            list(first[start : start + CHUNK]),
            pairs,
            truncation=True,
            max_length=max_length,
            return_token_type_ids=True,
        )
        ids += [np.array(row, dtype) for row in encoded["input_ids"]]
        types += [np.array(row, np.uint8) for row in encoded["token_type_ids"]]
        lengths += [len(row) for row in encoded["input_ids"]]
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    return Tokens(np.concatenate(ids), np.concatenate(types), offsets)


def save_tokens(tokens: Tokens, folder: Path) -> None:
    """Write token ids to a folder, whole or not at all."""
    with write_aside(folder) as aside:
        aside.mkdir()
        for name in ("ids", "types", "offsets"):
            np.save(aside / f"{name}.npy", getattr(tokens, name))


def open_tokens(folder: Path) -> Tokens:
    """Map token ids from a folder.

    Raises:
        UserError: the files are not there, cut off, or don't fit each other.
    """
    try:
        ids, types, offsets = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("ids", "types", "offsets"))
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: no token file: {error}") from None
    if len(offsets) < 2 or offsets[-1] != len(ids) or len(ids) != len(types):
        raise UserError(f"{folder}: is empty or damaged; remove it and run again")
    return Tokens(ids, types, offsets)


def collate(tokens: Tokens, rows: NDArray[np.int64], pad_id: int) -> dict[str, Tensor]:
    """The texts `rows`, padded to the longest of them.

    Returns:
        `input_ids`, `attention_mask` and `token_type_ids`, each int64 [batch, seq].
    """
    starts, lengths = tokens.offsets[rows], tokens.offsets[rows + 1] - tokens.offsets[rows]
    valid = np.arange(lengths.max()) < lengths[:, None]
    flat = np.concatenate([np.arange(start, start + length) for start, length in zip(starts, lengths, strict=True)])
    ids = np.full(valid.shape, pad_id, np.int64)
    types = np.zeros(valid.shape, np.int64)
    ids[valid], types[valid] = tokens.ids[flat], tokens.types[flat]
    return {
        "input_ids": torch.from_numpy(ids),
        "attention_mask": torch.from_numpy(valid.astype(np.int64)),
        "token_type_ids": torch.from_numpy(types),
    }
