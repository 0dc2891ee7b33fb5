"""Checkpoints of a training run: whole or not there, in safetensors, the newest kept."""

import warnings
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from textbook.errors import UserError
from textbook.files import remove, write_aside

KEPT = 2  # one to go on from, and the one before it should that be damaged
_NAMES = "[0-9]*.safetensors"
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def save_checkpoint(folder: Path, step: int, model: nn.Module, optimizer: Optimizer) -> None:
    """Save weights, optimizer moments and random state after `step` steps; all but the newest `KEPT` go."""
    tensors = {f"model.{name}": tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": state[name].detach().cpu() for name in _MOMENTS}
    tensors |= {f"random.{name}": state for name, state in _random_state().items()}
    path = folder / f"{step:08}.safetensors"
    with write_aside(path) as aside:
        save_file({name: tensor.clone() for name, tensor in tensors.items()}, aside)
    for older in sorted(folder.glob(_NAMES))[:-KEPT]:
        remove(older)


def load_checkpoint(folder: Path, model: nn.Module, optimizer: Optimizer) -> int:
    """Go on from the newest checkpoint, if there is one; a damaged one is passed over with a warning.

    Returns:
        The steps done so far: 0 without a checkpoint.

    Raises:
        UserError: the checkpoint is that of another model.
    """
    for path in sorted(folder.glob(_NAMES), reverse=True):
        try:
            tensors = load_file(path)
        except (SafetensorError, OSError) as error:
            warnings.warn(f"{path}: damaged ({error}), going on from the checkpoint before it", stacklevel=2)
            continue
        try:
            model.load_state_dict(_below(tensors, "model."))
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"{path}: is a checkpoint of another model ({reason}); remove {folder}") from None
        _restore(optimizer, _below(tensors, "optimizer."))
        random = _below(tensors, "random.")
        torch.set_rng_state(random["cpu"])
        if "cuda" in random:
            torch.cuda.set_rng_state(random["cuda"])
        return int(path.stem)
    return 0


def _restore(optimizer: Optimizer, moments: dict[str, Tensor]) -> None:
    state = optimizer.state_dict()
    numbers = {int(name.split(".")[0]) for name in moments}
    state["state"] = {number: {name: moments[f"{number}.{name}"] for name in _MOMENTS} for number in numbers}
    optimizer.load_state_dict(state)


def _random_state() -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    return states | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
