"""Checkpoints of a training run: whole or not there, in safetensors, the newest one kept."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from textbook.files import remove, write_aside

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def save_checkpoint(folder: Path, step: int, model: nn.Module, optimizer: Optimizer) -> None:
    """Save weights, optimizer moments and random state after `step` steps; older checkpoints go."""
    tensors = {f"model.{name}": tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": state[name].detach().cpu() for name in _MOMENTS}
    tensors |= {f"random.{name}": state for name, state in _random_state().items()}
    path = folder / f"{step:08}.safetensors"
    with write_aside(path) as aside:
        save_file({name: tensor.clone() for name, tensor in tensors.items()}, aside)
    for older in folder.glob("*.safetensors"):
        if older != path:
            remove(older)


def load_checkpoint(folder: Path, model: nn.Module, optimizer: Optimizer) -> int:
    """Go on from the newest checkpoint, if there is one.

    Returns:
        The steps done so far: 0 without a checkpoint.
    """
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        return 0
    step = int(found[-1].stem)
    tensors = load_file(found[-1])
    model.load_state_dict(_below(tensors, "model."))
    state = optimizer.state_dict()
    moments = _below(tensors, "optimizer.")
    numbers = {int(name.split(".")[0]) for name in moments}
    state["state"] = {number: {name: moments[f"{number}.{name}"] for name in _MOMENTS} for number in numbers}
    optimizer.load_state_dict(state)
    random = _below(tensors, "random.")
    torch.set_rng_state(random["cpu"])
    if "cuda" in random:
        torch.cuda.set_rng_state(random["cuda"])
    return step


def _random_state() -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    return states | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
