"""Check that the optimised loop trains the same model: compare its losses with a plain loop on the quickstart's models.

    python -m benchmarks.curves [BOOK] [--teacher FOLDER] [--steps 300]

The plain loop uses eager attention, pads to 64 tokens, runs all layers, and computes in fp32. All loops start from the
same weights, train on the same batches of 16, and use no dropout, because its random draws would differ. Writes
`benchmarks/results/distill-curves.json`: the mean loss of every 10 steps of each loop, and the largest and the mean
difference of the library's losses from the plain loop's.
"""

import argparse
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from torch import nn
from tqdm import tqdm
from transformers import AutoModel

from benchmarks.distill import RESULTS, read_all_layers
from benchmarks.setting import SETTINGS, SMALL
from textbook.files import write_json
from textbook.models.encoder import load_config, load_encoder, load_tokenizer
from textbook.models.student import make_student
from textbook.training.distillation.cohort import LOG_EVERY
from textbook.training.distillation.distill import distill
from textbook.training.distillation.pair import DistillationPair
from textbook.training.distillation.relations import relation_loss
from textbook.training.engine.batches import BatchStream
from textbook.training.engine.device import Device, best_device
from textbook.training.engine.feed import make_batch
from textbook.training.engine.optimizer import learning_rate, make_optimizer, set_rate
from textbook.training.engine.tokens import Tokens, tokenize

LENGTH = 64
RELATION_HEADS = 24


def make_settings(steps: int) -> Any:
    """The settings of both loops, as attributes: `textbook.params` needs pydantic."""
    return SimpleNamespace(**{**SETTINGS, "lr": 2e-3, "warmup": 0.05}, steps=steps, batch=16)


def new_student(teacher: Path) -> Any:
    """The quickstart's student without dropout; every call returns the same weights."""
    config = make_student(SMALL, load_config(teacher), seed=0).config
    config.update({"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0})
    torch.manual_seed(0)
    return AutoModel.from_config(config)


def plain_losses(teacher_folder: Path, tokens: Tokens, settings: Any) -> list[float]:
    """Loss of every step of the plain loop."""
    teacher, student = load_encoder(teacher_folder).eval(), new_student(teacher_folder).train()
    for model in (teacher, student):
        model.set_attn_implementation("eager")
    read_teacher = read_all_layers(teacher, teacher.config.num_hidden_layers)
    read_student = read_all_layers(student, SMALL.layers)
    optimizer = make_optimizer(student, settings.weight_decay)
    stream = BatchStream(tokens.offsets, settings.batch, settings.order_seed)
    losses = []
    for step in tqdm(range(settings.steps), desc="plain", unit="step"):
        batch = make_batch(tokens, stream.rows(step), teacher.config.pad_token_id, multiple=LENGTH)
        with torch.no_grad():
            target = read_teacher(**batch.inputs)
        states = read_student(**batch.inputs)
        loss = relation_loss(target, states, batch.inputs["attention_mask"], RELATION_HEADS)
        loss.backward()
        nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        set_rate(optimizer, learning_rate(step, settings.steps, settings))
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def library_losses(teacher_folder: Path, tokens: Tokens, settings: Any, device: Device) -> list[float]:
    """Mean loss of every 10 steps of the library's loop."""
    teacher = load_encoder(teacher_folder, device.dtype)
    pair = DistillationPair(
        teacher,
        new_student(teacher_folder),
        teacher_layer=teacher.config.num_hidden_layers,
        student_layer=SMALL.layers,
        relation_heads=RELATION_HEADS,
        pad_id=teacher.config.pad_token_id,
    )
    losses: list[float] = []
    distill(pair, tokens, settings, devices=[device], log=lambda _, figures: losses.append(figures["loss"]))
    return losses


def main() -> None:
    """Compare the losses and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path("data/textbooks/rotten_tomatoes/contextualized.parquet")
    parser.add_argument("book", type=Path, nargs="?", default=default)
    parser.add_argument("--teacher", type=Path, default=Path("data/models/rotten_tomatoes/teacher"))
    parser.add_argument("--steps", type=int, default=300)
    chosen = parser.parse_args()
    settings = make_settings(chosen.steps)
    sentences = pq.read_table(chosen.book, columns=["sentence"])["sentence"].to_pylist()[: 16 * chosen.steps]
    tokens = tokenize(load_tokenizer(chosen.teacher), sentences, None, LENGTH)
    run = partial(library_losses, chosen.teacher, tokens, settings)
    cpu, best = torch.device("cpu"), best_device()
    loops = {"fp32": run(Device(cpu, bf16=False)), **({"bf16": run(best)} if best.bf16 else {})}
    plain = np.reshape(plain_losses(chosen.teacher, tokens, settings), (-1, LOG_EVERY)).mean(1)
    differences = {name: np.abs(np.array(losses) / plain - 1) for name, losses in loops.items()}
    figures = {
        "largest_difference": {name: float(f"{values.max():.2e}") for name, values in differences.items()},
        "mean_difference": {name: float(f"{values.mean():.2e}") for name, values in differences.items()},
        "losses": {name: [round(loss, 6) for loss in losses] for name, losses in {"plain": plain, **loops}.items()},
    }
    write_json(RESULTS / "distill-curves.json", figures)
    for name, values in differences.items():
        print(f"{name}: differs from the plain loop by at most {values.max():.2%}, on average by {values.mean():.2%}")


if __name__ == "__main__":
    main()
