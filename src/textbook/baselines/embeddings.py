"""Embeddings of a frozen encoder as features of texts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from textbook.baselines.linear import Texts
from textbook.evaluation.cost import count_parameters, weight_bytes
from textbook.models.encoder import inputs_for, load_encoder, load_tokenizer
from textbook.models.folders import model_folder
from textbook.training.engine.checks import check_readable
from textbook.training.engine.device import Device
from textbook.training.engine.tokens import collate, tokenize

BATCH = 64


class EmbeddingFeatures:
    """The mean of an encoder's last hidden states over the tokens of a text, special tokens included, in fp32.

    A pair of texts has [u, v, |u - v|, u * v] for the embeddings u and v. All features are standardised with their mean
    and standard deviation over the training texts: some encoders have a few dimensions of a hundred times the size.

    Args:
        folder: a Hugging Face folder.
        max_length: longer texts are truncated to this many tokens.

    Raises:
        UserError: the folder has no encoder that can be loaded, or it cannot read the texts.
    """

    strengths = (0.001, 0.01, 0.1, 1.0)
    """To try; see `fit_linear`."""

    def __init__(self, folder: Path, max_length: int, device: Device) -> None:
        self.encoder: Any = load_encoder(folder)
        self.bytes = weight_bytes(model_folder(folder))
        self._tokenizer, self._max_length = load_tokenizer(folder), max_length
        self._mean = self._scale = np.ones(1, np.float32)  # of `standardise`
        self.move_to(device)

    @property
    def parameters(self) -> int:
        """Number of the encoder's parameters."""
        return count_parameters(self.encoder)

    def move_to(self, device: Device) -> None:
        """Move the encoder to a device."""
        self._device = device
        self.encoder.to(device.kind).eval()

    def standardise(self, texts: Texts) -> NDArray[np.float32]:
        """The features of the training texts, with which all further features are standardised too [rows, features]."""
        features = self._raw(texts)
        spread = features.std(0)
        self._mean, self._scale = features.mean(0), np.where(spread > 0, spread, 1).astype(np.float32)
        standardised: NDArray[np.float32] = (features - self._mean) / self._scale
        return standardised

    def __call__(self, texts: Texts) -> NDArray[np.float32]:
        """The features of other texts [rows, features]."""
        standardised: NDArray[np.float32] = (self._raw(texts) - self._mean) / self._scale
        return standardised

    def _raw(self, texts: Texts) -> NDArray[np.float32]:
        first, second = texts
        distinct = list(dict.fromkeys([*first, *(second or ())]))
        embeddings, place = self._embed(distinct), {text: number for number, text in enumerate(distinct)}
        u = embeddings[[place[text] for text in first]]
        if second is None:
            return u
        v = embeddings[[place[text] for text in second]]
        return np.concatenate([u, v, abs(u - v), u * v], axis=1)

    @torch.inference_mode()
    def _embed(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """The embeddings [sentences, hidden]."""
        encoder, pad_id, kind = self.encoder, self._tokenizer.pad_token_id, self._device.kind
        tokens = tokenize(self._tokenizer, sentences, None, self._max_length)
        check_readable(encoder.config, tokens, pad_id, whose="teacher", section="adapt")
        order = np.argsort(tokens.lengths(), kind="stable")
        embeddings = np.empty((len(order), encoder.config.hidden_size), np.float32)
        starts = range(0, len(order), BATCH)
        for start in tqdm(starts, desc="embed", unit="batch", disable=None if len(starts) > 1 else True):
            rows = order[start : start + BATCH]
            batch = {name: part.to(kind) for name, part in collate(tokens, rows, pad_id).items()}
            with self._device.autocast():
                states = encoder(**inputs_for(encoder, batch)).last_hidden_state.float()
            mask = batch["attention_mask"].unsqueeze(-1)
            embeddings[rows] = ((states * mask).sum(1) / mask.sum(1)).cpu().numpy()
        return embeddings
