"""What a model costs to keep and to run."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn
from tqdm import tqdm

from textbook.models.encoder import inputs_for


def count_parameters(model: nn.Module) -> int:
    """Parameters, embeddings included."""
    return sum(parameter.numel() for parameter in model.parameters())


def weight_bytes(folder: Path) -> int:
    """Bytes of the weights on disk."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


@torch.inference_mode()
def cpu_milliseconds(models: Mapping[str, nn.Module], inputs: Sequence[Mapping[str, Tensor]]) -> dict[str, float]:
    """Median time of each model for one input on the CPU in fp32, tokenisation left out.

    The models take turns on every input, so a busy machine slows all of them alike.

    Args:
        models: by name, all in fp32.
        inputs: batches of one text each.
    """
    for model in models.values():
        model.cpu().eval()
        for batch in inputs[:3]:  # the first calls allocate
            model(**inputs_for(model, batch))
    times: dict[str, list[float]] = {name: [] for name in models}
    for batch in tqdm(inputs, desc="latency", unit="sentence", disable=len(inputs) < 50):
        for name, model in models.items():
            mine = inputs_for(model, batch)
            start = time.perf_counter()
            model(**mine)
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: median(values) for name, values in times.items()}
