"""Size, FLOPs and latency of a model."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm
from transformers import PreTrainedModel

from textbook.models.encoder import inputs_for
from textbook.training.engine.tokens import Tokens, collate

Run = Callable[[Mapping[str, Tensor]], Any]
"""Runs a model on a batch: `input_ids`, `attention_mask` and `token_type_ids`, each int64 [batch, seq]."""
_Input = TypeVar("_Input")
TURN, WARM = 10, 3  # inputs per turn of a model, and warm-up runs before each turn


def count_parameters(model: nn.Module) -> int:
    """Number of parameters, including embeddings."""
    return sum(parameter.numel() for parameter in model.parameters())


def weight_bytes(folder: Path) -> int:
    """Size of the weight files in bytes."""
    return sum(path.stat().st_size for kind in ("safetensors", "onnx") for path in folder.glob(f"*.{kind}"))


def count_flops(model: PreTrainedModel, length: int) -> int:
    """FLOPs of a forward pass over one text of `length` tokens, counted by PyTorch.

    A multiplication and an addition count as two. Only matrix products are counted; the rest is negligible.
    """
    batch = inputs_for(model, dummy_batch(model, 1, length))
    attention = model.config._attn_implementation
    on_cpu(model)
    model.set_attn_implementation("eager")  # the counter does not see the fused attention of the CPU
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(**batch)
    finally:
        model.set_attn_implementation(attention)
    return int(counter.get_total_flops())


def dummy_batch(model: PreTrainedModel, batch: int, length: int) -> dict[str, Tensor]:
    """A batch of random tokens of the model's vocabulary, without padding; every call returns the same tokens."""
    vocabulary: int = model.config.vocab_size
    ids = torch.randint(vocabulary // 2, vocabulary, (batch, length), generator=torch.Generator().manual_seed(0))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}


def single_texts(tokens: Tokens, count: int, pad_id: int) -> list[dict[str, Tensor]]:
    """The first `count` texts, or all if there are fewer, as batches of one text each."""
    rows = np.arange(min(count, len(tokens)))
    return [collate(tokens, rows[n : n + 1], pad_id) for n in rows]


def on_cpu(model: nn.Module) -> Run:
    """A function that runs a PyTorch model on the CPU. The model must be in fp32."""
    model.cpu().eval()

    @torch.inference_mode()
    def run(batch: Mapping[str, Tensor]) -> None:
        model(**inputs_for(model, batch))

    return run


def milliseconds(runs: Mapping[str, Callable[[_Input], Any]], inputs: Sequence[_Input]) -> dict[str, float]:
    """Median latency of each model for one of `inputs`, such as a batch of tokens.

    The models take turns on a few inputs each, so that other load on the machine affects all of them equally.
    """
    times: dict[str, list[float]] = {name: [] for name in runs}
    for first in tqdm(range(0, len(inputs), TURN), desc="latency", unit="turn", disable=len(inputs) <= TURN):
        turn = inputs[first : first + TURN]
        for name, run in runs.items():
            for batch in turn[:WARM]:  # the first call allocates memory, and threads of the previous model still spin
                run(batch)
            for batch in turn:
                start = time.perf_counter()
                run(batch)
                times[name].append(1000 * (time.perf_counter() - start))
    return {name: median(values) for name, values in times.items()}


def milliseconds_by_shape(
    runs: Mapping[str, Run], shapes: Mapping[tuple[int, int], Mapping[str, Tensor]]
) -> dict[str, dict[str, float]]:
    """Milliseconds per sentence of each model, by `<batch>x<length>`.

    Args:
        shapes: a batch for each size and length; see `dummy_batch`.
    """
    latencies: dict[str, dict[str, float]] = {name: {} for name in runs}
    for (size, length), batch in shapes.items():
        for name, value in milliseconds(runs, [batch] * TURN).items():
            latencies[name][f"{size}x{length}"] = round(value / size, 3)
    return latencies
