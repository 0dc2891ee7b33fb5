"""Checkpoints of a training run: whole or not there, in safetensors, the newest kept."""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from textbook.errors import UserError
from textbook.files import remove, write_aside
from textbook.training.replicas import Replica

KEPT = 2  # one to go on from, and the one before it should that be damaged
_NAMES = "[0-9]*.safetensors"
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")

Run = Mapping[str, Any]  # what makes a run that run and no other: named values that JSON knows


def save_checkpoint(
    folder: Path, step: int, model: nn.Module, optimizer: Optimizer, run: Run, replica: Replica
) -> None:
    """Save weights, optimizer moments and the random state of all processes after `step` steps.

    All processes call it and the first one writes. All but the newest `KEPT` go.
    """
    random = {name: replica.gather(state) for name, state in _random_state().items()}
    if replica.rank:
        return
    tensors = {f"model.{name}": tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": state[name].detach().cpu() for name in _MOMENTS}
    tensors |= {f"random.{rank}.{name}": state for name, states in random.items() for rank, state in enumerate(states)}
    write_step(folder, step, tensors, run)


def write_step(folder: Path, step: int, tensors: dict[str, Tensor], run: Run) -> None:
    """Save the tensors of a step; all but the newest `KEPT` go."""
    path = folder / f"{step:08}.safetensors"
    with write_aside(path) as aside:
        save_file({name: tensor.clone() for name, tensor in tensors.items()}, aside, {"run": json.dumps(run)})
    for older in sorted(folder.glob(_NAMES))[:-KEPT]:
        remove(older)


def load_checkpoint(folder: Path, model: nn.Module, optimizer: Optimizer, run: Run, replica: Replica) -> int:
    """Go on from the newest checkpoint, if there is one; a damaged one is passed over with a warning.

    Returns:
        The steps done so far: 0 without a checkpoint.

    Raises:
        UserError: the checkpoint is that of another run or another model.
    """
    newest = read_newest(folder, run)
    if newest is None:
        return 0
    path, tensors = newest
    load_weights(model, tensors, path)
    _restore(optimizer, below(tensors, "optimizer."))
    # Of a process that wasn't there, on another number of devices, there is none: it keeps that of its seed.
    random = below(tensors, f"random.{replica.rank}.")
    if "cpu" in random:
        torch.set_rng_state(random["cpu"])
    if "cuda" in random and torch.cuda.is_available():
        torch.cuda.set_rng_state(random["cuda"])
    return int(path.stem)


def read_newest(folder: Path, run: Run) -> tuple[Path, dict[str, Tensor]] | None:
    """The newest checkpoint and its tensors, if there is one; a damaged one is passed over with a warning.

    Raises:
        UserError: the checkpoint is that of another run.
    """
    for path in sorted(folder.glob(_NAMES), reverse=True):
        try:
            with safe_open(path, "pt") as file:
                written = json.loads((file.metadata() or {}).get("run", "{}"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        except (SafetensorError, OSError) as error:
            warnings.warn(f"{path}: damaged ({error}), going on from the checkpoint before it", stacklevel=2)
            continue
        for name, value in run.items():
            if written.get(name) != value:
                was = f"{name} was {written.get(name)!r} and is {value!r}"
                raise UserError(f"{path}: is a checkpoint of another run ({was}); remove {folder}")
        return path, tensors
    return None


def load_weights(model: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Give a model the weights of the checkpoint `path`.

    Raises:
        UserError: they are those of another model.
    """
    try:
        model.load_state_dict(below(tensors, "model."))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: is a checkpoint of another model ({reason}); remove {path.parent}") from None


def _restore(optimizer: Optimizer, moments: dict[str, Tensor]) -> None:
    state = optimizer.state_dict()
    numbers = {int(name.split(".")[0]) for name in moments}
    state["state"] = {number: {name: moments[f"{number}.{name}"] for name in _MOMENTS} for number in numbers}
    optimizer.load_state_dict(state)


def _random_state() -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    return states | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})


def below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
