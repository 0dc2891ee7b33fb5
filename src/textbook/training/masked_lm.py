"""Train an encoder to predict masked words of the corpus (Devlin et al. 2019)."""

import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm
from transformers import AutoModelForMaskedLM, PreTrainedModel, PreTrainedTokenizerBase

from textbook.errors import UserError
from textbook.models.encoder import inputs_for
from textbook.models.masked_lm import logits_at
from textbook.models.weights import load_model
from textbook.params import MaskedLmAsset
from textbook.training.engine.batches import BatchStream
from textbook.training.engine.checkpoints import Checkpoints
from textbook.training.engine.checks import check_finite, check_readable
from textbook.training.engine.cpu_training import faster_on_cpu
from textbook.training.engine.device import Device
from textbook.training.engine.log import Log, silent
from textbook.training.engine.optimizer import learning_rate, make_optimizer, set_rate, update_weights
from textbook.training.engine.tokens import Tokens, collate

HIDDEN = 0.15  # share of the tokens that the model predicts
MASKED, SWAPPED = 0.8, 0.1  # shares of these that are replaced by the mask and by a random token; the rest is kept
LOG_EVERY = 10  # steps


def add_head(folder: Path, seed: int) -> PreTrainedModel:
    """The encoder of a Hugging Face folder with a masked-LM head, in fp32; the head's own weights are random.

    The head's projection to the vocabulary is tied to the token embeddings.

    Raises:
        UserError: the folder has no complete encoder in safetensors, or its architecture has no masked-LM head.
    """
    torch.manual_seed(seed)
    return load_model(AutoModelForMaskedLM, folder, "a masked language model", tie_word_embeddings=True)


def train_masked_lm(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    tokens: Tokens,
    settings: MaskedLmAsset,
    *,
    device: Device,
    log: Log = silent,
    checkpoints: Path | None = None,
) -> None:
    """Train all weights of the model in place. Dropout is off, because so short a run hardly repeats a sentence.

    Args:
        log: called every few steps with the mean `loss` and `accuracy` (the share of hidden tokens that are predicted
            correctly, from 0 to 1), `tokens_per_second` and `lr`.
        checkpoints: a folder used by this run only. The run resumes from the newest checkpoint in it and ends with the
            same weights.

    Raises:
        UserError: the model cannot read the texts, the tokenizer has no mask, the checkpoint belongs to another run,
            or the loss or the weights are not finite.
        SystemExit: SIGTERM was received and a checkpoint was written.
    """
    _check(model, tokenizer, tokens)
    model.to(device.kind).eval()  # type: ignore[arg-type]
    optimizer = make_optimizer(model, settings.weight_decay)
    run = {**settings.model_dump(), "texts": len(tokens), "tokens": int(tokens.offsets[-1])}
    saver = Checkpoints(checkpoints, model, optimizer, run)
    done, _ = saver.resume()
    stream = BatchStream(tokens.offsets, settings.batch, settings.seed)
    special = np.array(tokenizer.all_special_ids)
    last_log = time.monotonic()
    figures: list[Tensor] = []
    seen = 0
    bar = tqdm(total=settings.steps, initial=done, desc="masked LM", unit="step")
    with bar as progress, saver.saving_on_sigterm(), faster_on_cpu(model):
        for step in range(done, settings.steps):
            batch = collate(tokens, stream.rows(step), tokenizer.pad_token_id)
            ids = batch["input_ids"].numpy()
            rng = np.random.default_rng([settings.seed, step])
            given, hidden = hide(ids, ~np.isin(ids, special), tokenizer.mask_token_id, len(tokenizer), rng)
            targets = torch.from_numpy(ids[hidden]).to(device.kind)
            batch["input_ids"] = torch.from_numpy(given)
            inputs = {name: part.to(device.kind) for name, part in inputs_for(model, batch).items()}
            rows, positions = (torch.from_numpy(part).to(device.kind) for part in np.nonzero(hidden))
            with device.autocast():
                logits = logits_at(model, inputs, rows, positions)
            loss = F.cross_entropy(logits.float(), targets, reduction="sum") / max(1, len(targets))
            rate = learning_rate(step, settings.steps, settings)
            set_rate(optimizer, rate)
            update_weights(loss, model, optimizer)
            correct = (logits.argmax(1) == targets).sum() / max(1, len(targets))
            figures.append(torch.stack([loss.detach(), correct]))
            seen += int(batch["attention_mask"].sum())
            progress.update()
            last = step + 1 == settings.steps
            if last or (step + 1) % LOG_EVERY == 0:
                mean, accuracy = torch.stack(figures).mean(0).tolist()
                if not np.isfinite(mean):
                    raise UserError(
                        f"masked LM: the loss of the steps up to {step + 1} is {mean}; try a smaller lr than"
                        f" {settings.lr}"
                    )
                now = time.monotonic()
                speed = seen / (now - last_log)
                log(step + 1, {"loss": mean, "accuracy": accuracy, "lr": rate, "tokens_per_second": speed})
                progress.set_postfix_str(f"loss {mean:.3f}, {accuracy:.0%} correct, {speed:,.0f} tokens/s")
                last_log, figures, seen = now, [], 0
            if last:
                check_finite(model.state_dict(), "masked LM", "lr", settings.lr)
            saver.after_step(step + 1, due=last)


def _check(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, tokens: Tokens) -> None:
    """Check that the model knows every token that it is shown: texts, padding, the mask and random tokens."""
    check_readable(model.config, tokens, tokenizer.pad_token_id, whose="masked LM", section="masked_lm")
    if tokenizer.mask_token_id is None:
        raise UserError("masked LM: the encoder's tokenizer has no mask token; name one in tokenizer_config.json")
    if len(tokenizer) > model.config.vocab_size:
        raise UserError(
            f"masked LM: the encoder's tokenizer has {len(tokenizer)} tokens, and the encoder only"
            f" {model.config.vocab_size}: tokens were added to one and not to the other (resize_token_embeddings)"
        )


def hide(
    ids: NDArray[np.int64], allowed: NDArray[np.bool_], mask_id: int, vocabulary: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Choose the tokens that the model must predict, and hide them, as BERT does.

    Args:
        ids: token ids [batch, seq].
        allowed: the positions that may be chosen [batch, seq]; special tokens are excluded.
        vocabulary: the size of the vocabulary, from which random tokens are drawn.

    Returns:
        The model's input ids, and a mask of the chosen positions; both [batch, seq].
    """
    hidden = allowed & (rng.random(ids.shape) < HIDDEN)
    kind = rng.random(ids.shape)
    given = np.where(hidden & (kind < MASKED), mask_id, ids)
    swapped = hidden & (kind >= MASKED) & (kind < MASKED + SWAPPED)
    return np.where(swapped, rng.integers(vocabulary, size=ids.shape), given), hidden
