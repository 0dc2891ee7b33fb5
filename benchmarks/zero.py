"""Compare DeepSpeed's ZeRO in several processes with a plain loop: losses, time and memory.

    python -m benchmarks.zero [--steps 50] [--processes 2]

Fine-tunes the quickstart's teacher in fp32 with a plain loop in one process, and with ZeRO 0, 1, 2 and 3 in two
processes that communicate over gloo (with GPUs over NCCL). All use the same first batches of the quickstart's task.
Dropout is off because it differs between processes, so the loss of every step must be the same except for rounding.
Prints a table and writes `benchmarks/results/zero-cpu.json` or `zero-gpu.json` with the loss of every step.
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

from pipelines.paths import TASKS
from textbook.assets.manifest import locate
from textbook.files import write_json
from textbook.models.classifier import load_classifier
from textbook.models.encoder import inputs_for, load_tokenizer
from textbook.params import FineTuning, Zero
from textbook.params_file import load_params
from textbook.tasks.splits import TRAIN, read_split, texts, with_classes
from textbook.training.distributed.deepspeed_finetune import Result, finetune_with_zero, peak_bytes
from textbook.training.distributed.ray_workers import Report, resolve_processes, run_processes
from textbook.training.engine.batches import BatchStream
from textbook.training.engine.optimizer import learning_rate, make_optimizer, set_rate
from textbook.training.engine.tokens import collate, tokenize
from textbook.training.finetuning.labelled import Labelled

RESULTS = Path("benchmarks/results")


def make_model(folder: Path, labels: list[str]) -> PreTrainedModel:
    """The untrained teacher, without dropout."""
    model = load_classifier(folder, labels, seed=0)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def plain(
    model: partial[PreTrainedModel], rows: Labelled, settings: FineTuning, seed: int, pad_id: int, report: Report
) -> Result:
    """A plain training loop."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = model().to(device).train()
    stream = BatchStream(rows.tokens.offsets, settings.batch, seed)
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
        set_rate(optimizer, learning_rate(step, stream.per_epoch, settings))
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        report(step + 1, "")
    return Result({}, losses, time.monotonic() - start, peak_bytes())


def no_metrics(_model: nn.Module) -> dict[str, float]:
    """Placeholder for validation, which the benchmark skips."""
    return {"none": 0.0}


def main() -> None:
    """Measure all loops, print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args()
    processes = resolve_processes(chosen.processes, "--processes")
    params = load_params()
    task = next(iter(params.tasks))
    folder = locate(Path("data/assets") / params.teacher.asset).absolute()
    tokenizer = load_tokenizer(folder)
    settings, seed = params.teacher.trials(task)[0].model_copy(update={"epochs": 1}), params.teacher.seed
    split = read_split(Path("data/tasks") / task, TRAIN).slice(0, chosen.steps * settings.batch)
    rows = Labelled(tokenize(tokenizer, *texts(split), settings.max_length), split["label"].to_numpy())
    model = partial(make_model, folder, with_classes(params.task(task), TASKS / task).outputs)
    pad_id = tokenizer.pad_token_id
    runs: dict[str, list[Result]] = {
        "plain": run_processes(partial(plain, model, rows, settings, seed, pad_id), 1, "plain", chosen.steps)
    }
    for stage in (0, 1, 2, 3):
        zero = Zero(stage=stage, offload=False)
        how = params.teacher.model_copy(update={"precision": "fp32", "zero": zero})
        with tempfile.TemporaryDirectory() as name:
            work = partial(finetune_with_zero, model, rows, settings, seed, how, no_metrics, pad_id, Path(name))
            runs[f"ZeRO {stage}"] = run_processes(work, processes, f"ZeRO {stage}", chosen.steps)
    reference = np.array(runs["plain"][0].losses)
    setup = {"processes": processes, "batch": settings.batch, "lr": settings.lr, "steps": chosen.steps}
    figures: dict[str, Any] = {**setup, "runs": {}}
    print(f"{'loop':10} {'processes':>9} {'last loss':>10} {'off by':>9} {'at most':>9} {'seconds':>8} {'MB each':>8}")
    for name, results in runs.items():
        losses = np.array(results[0].losses)
        differences = np.abs(losses / reference - 1)
        peak = max(result.peak_bytes for result in results) / 1e6
        figures["runs"][name] = {
            "losses": [round(loss, 6) for loss in losses.tolist()],
            "off_by_at_the_end": float(differences[-1]),
            "off_by_at_most": float(differences.max()),
            "seconds": round(results[0].seconds, 1),
            "peak_mb_per_process": round(peak),
        }
        print(
            f"{name:10} {len(results):9} {losses[-1]:10.4f} {differences[-1]:9.1e} {differences.max():9.1e}"
            f" {results[0].seconds:8.1f} {peak:8.0f}"
        )
    write_json(RESULTS / ("zero-gpu.json" if torch.cuda.is_available() else "zero-cpu.json"), figures)


if __name__ == "__main__":
    main()
