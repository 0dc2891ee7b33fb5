"""Does a teacher on several processes learn what it learns on one, and what does each stage of ZeRO cost and save?

    python -m benchmarks.zero [--steps 50] [--processes 2]

Fine-tunes the quickstart's teacher in fp32 with a plain loop in one process, and with DeepSpeed's ZeRO 0, 1, 2 and 3 in
two that talk over gloo (over NCCL with GPUs), on the same first batches of the quickstart's task. Without dropout,
which differs between processes, the loss of every step has to be the same but for rounding. Prints a table and writes
`benchmarks/results/zero-cpu.json` or `zero-gpu.json` with the loss of every step.
"""

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import PreTrainedModel

from textbook.assets import locate
from textbook.files import write_json
from textbook.models.classifier import load_classifier
from textbook.models.encoder import inputs_for, load_tokenizer
from textbook.params import Teacher
from textbook.params_file import load_params
from textbook.processes import Report, resolve_processes, run_processes
from textbook.tasks.prepare import TRAIN, read_split, texts
from textbook.training.batches import BatchStream
from textbook.training.finetune import Labelled, Settings
from textbook.training.optimizer import learning_rate, make_optimizer, set_rate
from textbook.training.tokens import collate, tokenize
from textbook.training.zero import Result, finetune_with_zero, peak_bytes

RESULTS = Path("benchmarks/results")


def make_model(folder: Path, labels: list[str]) -> PreTrainedModel:
    """The teacher to be, without dropout."""
    model = load_classifier(folder, labels, seed=0)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def plain(model: partial[PreTrainedModel], rows: Labelled, settings: Settings, pad_id: int, report: Report) -> Result:
    """The loop that everybody knows."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = model().to(device).train()
    stream = BatchStream(rows.tokens.offsets, settings.batch, settings.seed)
    optimizer = make_optimizer(network, settings.weight_decay)
    losses = []
    start = time.monotonic()
    for step in range(stream.per_epoch):
        chosen = stream.rows(step)
        batch = {name: part.to(device) for name, part in collate(rows.tokens, chosen, pad_id).items()}
        loss = F.cross_entropy(
            network(**inputs_for(network, batch)).logits, torch.from_numpy(rows.labels[chosen]).to(device)
        )
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        set_rate(optimizer, learning_rate(step, peak=settings.lr, warmup=settings.warmup, steps=stream.per_epoch))
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        report(step + 1, "")
    return Result({}, losses, time.monotonic() - start, peak_bytes())


def no_figures(_model: nn.Module) -> dict[str, float]:
    """Validation is no part of this."""
    return {"none": 0.0}


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args()
    processes = resolve_processes(chosen.processes, "--processes")
    params = load_params()
    task = next(iter(params.tasks))
    folder = locate(Path("data/assets") / params.teacher.asset).absolute()
    tokenizer = load_tokenizer(folder)
    batch, lr = params.teacher.grid(task).combinations()[0]
    split = read_split(Path("data/tasks") / task, TRAIN).slice(0, chosen.steps * batch)
    rows = Labelled(tokenize(tokenizer, *texts(split), params.teacher.max_length), split["label"].to_numpy())
    settings = Settings(1, batch, lr, params.teacher.warmup, params.teacher.weight_decay, params.teacher.seed)
    model = partial(make_model, folder, params.task(task).outputs)
    pad_id = tokenizer.pad_token_id
    runs: dict[str, list[Result]] = {
        "plain": run_processes(partial(plain, model, rows, settings, pad_id), 1, "plain", chosen.steps)
    }
    for stage in (0, 1, 2, 3):
        how = params.teacher.model_copy(update={"precision": "fp32", "zero": {"stage": stage, "offload": False}})
        how = Teacher.model_validate(how.model_dump())
        with tempfile.TemporaryDirectory() as name:
            work_on = partial(finetune_with_zero, model, rows, settings, how, no_figures, pad_id, Path(name))
            runs[f"ZeRO {stage}"] = run_processes(work_on, processes, f"ZeRO {stage}", chosen.steps)
    reference = np.array(runs["plain"][0].losses)
    figures: dict[str, Any] = {"processes": processes, "batch": batch, "lr": lr, "steps": chosen.steps, "runs": {}}
    print(f"{'loop':10} {'processes':>9} {'last loss':>10} {'off by':>9} {'at most':>9} {'seconds':>8} {'MB each':>8}")
    for name, results in runs.items():
        losses = np.array(results[0].losses)
        off = np.abs(losses / reference - 1)
        peak = max(result.peak_bytes for result in results) / 1e6
        figures["runs"][name] = {
            "losses": [round(loss, 6) for loss in losses.tolist()],
            "off_by_at_the_end": float(off[-1]),
            "off_by_at_most": float(off.max()),
            "seconds": round(results[0].seconds, 1),
            "peak_mb_per_process": round(peak),
        }
        print(
            f"{name:10} {len(results):9} {losses[-1]:10.4f} {off[-1]:9.1e} {off.max():9.1e}"
            f" {results[0].seconds:8.1f} {peak:8.0f}"
        )
    write_json(RESULTS / ("zero-gpu.json" if torch.cuda.is_available() else "zero-cpu.json"), figures)


if __name__ == "__main__":
    main()
