"""Distillation: the teacher's attention relations on a textbook become the student's."""

import signal
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from textbook.errors import UserError
from textbook.files import write_aside
from textbook.models.encoder import QkvReader
from textbook.params import Distill
from textbook.training.batches import BatchStream
from textbook.training.checkpoints import load_checkpoint, save_checkpoint
from textbook.training.device import Device
from textbook.training.interrupt import sigterm_as_event
from textbook.training.log import Log, silent
from textbook.training.optimizer import learning_rate, make_optimizer, set_rate
from textbook.training.relations import relation_loss
from textbook.training.tokens import Tokens, collate

LOG_EVERY = 10
CHECKPOINT_SECONDS = 60


def distill(
    teacher: nn.Module,
    student: nn.Module,
    tokens: Tokens,
    settings: Distill,
    *,
    teacher_layer: int,
    student_layer: int,
    pad_id: int,
    device: Device,
    log: Log = silent,
    checkpoints: Path | None = None,
) -> None:
    """Train the student in place.

    Only what feeds the queries, keys and values of `student_layer` learns; what lies above keeps its initial weights
    and is trained in adaptation.

    Args:
        teacher, student: bare encoders over the same vocabulary.
        tokens: the tokenised textbook.
        teacher_layer, student_layer: whose relations are matched, 1 is the first.
        log: every few steps gets their mean `loss` and `tokens_per_second`, and the last `lr` and `gradient_norm`.
        checkpoints: a folder of this very run; it goes on from the newest one there.

    Raises:
        UserError: the loss is no longer finite; the batch is saved beside the checkpoints.
        SystemExit: SIGTERM came; a checkpoint was written.
    """
    student.to(device.kind).train()
    teacher.to(device.kind, device.dtype).eval()
    read_teacher, read_student = QkvReader(teacher, teacher_layer), QkvReader(student, student_layer)
    optimizer = make_optimizer(student, settings.weight_decay)
    torch.manual_seed(settings.seed)
    done = load_checkpoint(checkpoints, student, optimizer) if checkpoints else 0
    stream = BatchStream(tokens.lengths(), settings.batch, settings.seed)
    last_log = last_checkpoint = time.monotonic()
    losses: list[Tensor] = []
    seen = 0
    bar = tqdm(total=settings.steps, initial=done, desc="distill", unit="step")
    with bar as progress, sigterm_as_event() as terminated:
        for step in range(done, settings.steps):
            batch = {name: part.to(device.kind) for name, part in collate(tokens, stream.rows(step), pad_id).items()}
            mask = batch["attention_mask"]
            with torch.no_grad():
                theirs = read_teacher(**batch)
            with device.autocast():
                ours = read_student(**batch)
            loss = relation_loss(theirs, ours, mask, settings.relation_heads)
            torch.autograd.backward(loss)
            norm = nn.utils.clip_grad_norm_(student.parameters(), 1.0)
            rate = learning_rate(step, peak=settings.lr, warmup=settings.warmup, steps=settings.steps)
            set_rate(optimizer, rate)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(loss.detach())
            seen += int(mask.sum())
            progress.update()
            last = step + 1 == settings.steps
            if last or (step + 1) % LOG_EVERY == 0:
                if bad := [place for place, one in enumerate(losses) if not torch.isfinite(one)]:
                    first = step + 1 - len(losses) + bad[0]
                    saved = _save_batch(collate(tokens, stream.rows(first), pad_id), first + 1, checkpoints)
                    raise UserError(
                        f"distill: the loss of step {first + 1} is {losses[bad[0]].item()}; a smaller distill.lr than"
                        f" {settings.lr} may help{saved}"
                    )
                mean = float(torch.stack(losses).mean())
                now = time.monotonic()
                speed = seen / (now - last_log)
                log(step + 1, {"loss": mean, "lr": rate, "gradient_norm": float(norm), "tokens_per_second": speed})
                progress.set_postfix_str(f"loss {mean:.3f}, {speed:,.0f} tokens/s")
                last_log, losses, seen = now, [], 0
            due = last or terminated.is_set() or time.monotonic() - last_checkpoint > CHECKPOINT_SECONDS
            if checkpoints and due:
                save_checkpoint(checkpoints, step + 1, student, optimizer)
                last_checkpoint = time.monotonic()
            if terminated.is_set():
                raise SystemExit(128 + signal.SIGTERM)


def _save_batch(batch: dict[str, Tensor], step: int, folder: Path | None) -> str:
    """Save a batch that went wrong, if there is a folder, and say where."""
    if folder is None:
        return ""
    path = folder / f"batch-{step}.safetensors"
    with write_aside(path) as aside:
        save_file(batch, aside)
    return f"; its batch is in {path}"
