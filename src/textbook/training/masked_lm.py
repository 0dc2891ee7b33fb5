"""An encoder learns to fill masked words of the corpus (Devlin et al. 2019): a masked language model where none is."""

import signal
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm
from transformers import AutoConfig, AutoModelForMaskedLM, PreTrainedModel, PreTrainedTokenizerBase

from textbook.errors import UserError
from textbook.models.encoder import inputs_for
from textbook.params import MaskedLmAsset
from textbook.textbooks.candidates import logits_at
from textbook.training.batches import BatchStream
from textbook.training.checkpoints import load_checkpoint, save_checkpoint
from textbook.training.device import Device
from textbook.training.interrupt import sigterm_as_event
from textbook.training.log import Log, silent
from textbook.training.optimizer import learning_rate, make_optimizer, set_rate
from textbook.training.replicas import Replica
from textbook.training.tokens import Tokens, collate

HIDDEN = 0.15  # share of the tokens that are to be filled
MASKED, SWAPPED = 0.8, 0.1  # of these: shares that become the mask, and a random token; the rest stays as it is
LOG_EVERY = 10
CHECKPOINT_SECONDS = 60


def add_head(folder: Path, seed: int) -> PreTrainedModel:
    """An encoder of a Hugging Face folder with a head that fills masks, in fp32; the head's own weights are random.

    The head shares its projection to the vocabulary with the embeddings of the tokens.

    Raises:
        UserError: there is no encoder with safetensors, or its architecture has no such head.
    """
    torch.manual_seed(seed)
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, tie_word_embeddings=True)
        model, info = AutoModelForMaskedLM.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: no masked language model can be made of it: {str(error).splitlines()[0]}") from None
    missing = sorted(name for name in info["missing_keys"] if name.startswith(f"{model.base_model_prefix}."))
    if missing:
        raise UserError(f"{folder}: is no whole encoder; it lacks {', '.join(missing[:3])}")
    found: PreTrainedModel = model
    return found


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
    """Train all weights of the model in place; without dropout, for so short a training repeats hardly a sentence.

    Args:
        log: every few steps gets their mean `loss` and `accuracy` (the share of the hidden tokens that are filled
            right, from 0 to 1) and `tokens_per_second`, and the last `lr`.
        checkpoints: a folder of this very run; it goes on from the newest one there, to the same weights.

    Raises:
        UserError: the checkpoint is that of another run; the loss is no longer finite.
        SystemExit: SIGTERM came; a checkpoint was written.
    """
    model.to(device.kind).eval()  # type: ignore[arg-type]
    optimizer = make_optimizer(model, settings.weight_decay)
    run = {**settings.model_dump(), "texts": len(tokens), "tokens": int(tokens.offsets[-1])}
    done = load_checkpoint(checkpoints, model, optimizer, run, Replica()) if checkpoints else 0
    stream = BatchStream(tokens.offsets, settings.batch, settings.seed)
    special = np.array(tokenizer.all_special_ids)
    last_log = last_checkpoint = time.monotonic()
    figures: list[Tensor] = []
    seen = 0
    bar = tqdm(total=settings.steps, initial=done, desc="masked LM", unit="step")
    with bar as progress, sigterm_as_event() as terminated:
        for step in range(done, settings.steps):
            batch = collate(tokens, stream.rows(step), tokenizer.pad_token_id)
            ids = batch["input_ids"].numpy()
            chance = np.random.default_rng([settings.seed, step])
            given, hidden = hide(ids, ~np.isin(ids, special), tokenizer.mask_token_id, len(tokenizer), chance)
            targets = torch.from_numpy(ids[hidden]).to(device.kind)
            batch["input_ids"] = torch.from_numpy(given)
            inputs = {name: part.to(device.kind) for name, part in inputs_for(model, batch).items()}
            rows, places = (torch.from_numpy(part).to(device.kind) for part in np.nonzero(hidden))
            with device.autocast():
                logits = logits_at(model, inputs, rows, places)
            loss = F.cross_entropy(logits.float(), targets, reduction="sum") / max(1, len(targets))
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            rate = learning_rate(step, peak=settings.lr, warmup=settings.warmup, steps=settings.steps)
            set_rate(optimizer, rate)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            right = (logits.argmax(1) == targets).sum() / max(1, len(targets))
            figures.append(torch.stack([loss.detach(), right]))
            seen += int(batch["attention_mask"].sum())
            progress.update()
            last = step + 1 == settings.steps
            if last or (step + 1) % LOG_EVERY == 0:
                mean, accuracy = torch.stack(figures).mean(0).tolist()
                if not np.isfinite(mean):
                    raise UserError(
                        f"masked LM: the loss of the steps up to {step + 1} is {mean}; a smaller lr than {settings.lr}"
                        " may help"
                    )
                now = time.monotonic()
                speed = seen / (now - last_log)
                log(step + 1, {"loss": mean, "accuracy": accuracy, "lr": rate, "tokens_per_second": speed})
                progress.set_postfix_str(f"loss {mean:.3f}, {accuracy:.0%} filled right, {speed:,.0f} tokens/s")
                last_log, figures, seen = now, [], 0
            due = last or terminated.is_set() or time.monotonic() - last_checkpoint > CHECKPOINT_SECONDS
            if checkpoints and due:
                save_checkpoint(checkpoints, step + 1, model, optimizer, run, Replica())
                last_checkpoint = time.monotonic()
            if terminated.is_set():
                raise SystemExit(128 + signal.SIGTERM)


def hide(
    ids: NDArray[np.int64], allowed: NDArray[np.bool_], mask_id: int, vocabulary: int, chance: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Choose tokens that the model shall fill, as BERT does.

    Args:
        ids: token ids [batch, seq].
        allowed: which of them may be chosen [batch, seq]: no special tokens.
        vocabulary: how many tokens there are; a random one is any of them.

    Returns:
        What the model is given, and which places were chosen; both [batch, seq].
    """
    hidden = allowed & (chance.random(ids.shape) < HIDDEN)
    kind = chance.random(ids.shape)
    given = np.where(hidden & (kind < MASKED), mask_id, ids)
    swapped = hidden & (kind >= MASKED) & (kind < MASKED + SWAPPED)
    return np.where(swapped, chance.integers(vocabulary, size=ids.shape), given), hidden
