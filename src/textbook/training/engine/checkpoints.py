"""Checkpoints of a training run: safetensors files that are written atomically; only the newest are kept."""

import json
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from textbook.errors import UserError
from textbook.files import atomic_write, remove
from textbook.training.engine.interrupt import sigterm_as_event
from textbook.training.engine.random_state import random_state, set_random_state
from textbook.training.engine.replica import ALONE, Replica

KEPT = 2  # the newest one, and the one before it in case the newest is damaged
CHECKPOINT_SECONDS = 60
TERMINATED = 128 + signal.SIGTERM  # the exit status of a run that SIGTERM ended
_NAMES = "[0-9]*.safetensors"
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")

RunIdentity = Mapping[str, Any]
"""The settings and data that distinguish a run from other runs: named JSON values."""


class Checkpoints:
    """Saves the state of a training run every minute, at its end and on SIGTERM, and restores it.

    Args:
        folder: a folder used by this run only; None: nothing is saved.
        run: identifies the run; resuming from a checkpoint of another run fails.
        replica: all processes call every method; the first one writes.
    """

    def __init__(
        self, folder: Path | None, model: nn.Module, optimizer: Optimizer, run: RunIdentity, replica: Replica = ALONE
    ) -> None:
        self.folder, self.run, self.replica = folder, run, replica
        self._model, self._optimizer = model, optimizer
        self._saved_at = time.monotonic()
        self._terminated = Event()

    def resume(self) -> tuple[int, dict[str, Tensor]]:
        """Restore the newest checkpoint, if there is one.

        Returns:
            The number of steps done so far, and the extra tensors that were saved with them.

        Raises:
            UserError: the checkpoint belongs to another run or another model.
        """
        if self.folder is None:
            return 0, {}
        return load_checkpoint(self.folder, self._model, self._optimizer, self.run, self.replica)

    @contextmanager
    def saving_on_sigterm(self) -> Iterator[None]:
        """Within the block, SIGTERM ends the run after the current step, and a checkpoint is written."""
        with sigterm_as_event() as self._terminated:
            yield

    def after_step(self, steps: int, *, due: bool = False, extra: Callable[[], Mapping[str, Tensor]] = dict) -> None:
        """Save the state if the last checkpoint is old enough.

        Args:
            steps: the number of steps done so far.
            due: save the state in any case.
            extra: returns further tensors that the run needs to resume.

        Raises:
            SystemExit: SIGTERM was received.
        """
        ending, due = self.replica.any(self._terminated.is_set(), due or self.old())
        if due or ending:
            self.save(steps, extra)
        if ending:
            raise SystemExit(TERMINATED)

    def old(self) -> bool:
        """Whether the last checkpoint is so old that a new one is due."""
        return time.monotonic() - self._saved_at > CHECKPOINT_SECONDS

    def save(self, steps: int, extra: Callable[[], Mapping[str, Tensor]] = dict) -> None:
        """Save the state after `steps` steps, if there is a folder; see `after_step`."""
        if self.folder:
            save_checkpoint(self.folder, steps, self._model, self._optimizer, self.run, self.replica, extra())
            self._saved_at = time.monotonic()


def save_checkpoint(
    folder: Path,
    steps: int,
    model: nn.Module,
    optimizer: Optimizer,
    run: RunIdentity,
    replica: Replica,
    extra: Mapping[str, Tensor],
) -> None:
    """Save weights, optimizer moments and the random state of all processes after `steps` steps.

    All processes must call it; the first one writes. All checkpoints but the newest `KEPT` are removed.
    """
    random = {name: replica.gather(state) for name, state in random_state().items()}
    if replica.rank:
        return
    tensors = {f"model.{name}": tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": state[name].detach().cpu() for name in _MOMENTS}
    tensors |= {f"random.{rank}.{name}": state for name, states in random.items() for rank, state in enumerate(states)}
    tensors |= {f"extra.{name}": tensor.detach().cpu() for name, tensor in extra.items()}
    write_step(folder, steps, tensors, run)


def write_step(folder: Path, steps: int, tensors: dict[str, Tensor], run: RunIdentity) -> None:
    """Write the tensors of a checkpoint. All checkpoints but the newest `KEPT` are removed."""
    path = folder / f"{steps:08}.safetensors"
    with atomic_write(path) as temporary:
        save_file({name: tensor.clone() for name, tensor in tensors.items()}, temporary, {"run": json.dumps(run)})
    for older in sorted(folder.glob(_NAMES))[:-KEPT]:
        remove(older)


def load_checkpoint(
    folder: Path, model: nn.Module, optimizer: Optimizer, run: RunIdentity, replica: Replica
) -> tuple[int, dict[str, Tensor]]:
    """Restore the newest checkpoint, if there is one. A damaged one is skipped with a warning.

    Returns:
        The number of steps done so far (0 without a checkpoint), and the extra tensors.

    Raises:
        UserError: the checkpoint belongs to another run or another model.
    """
    newest = read_newest(folder, run)
    if newest is None:
        return 0, {}
    path, tensors = newest
    load_weights(model, tensors, path)
    _restore(optimizer, strip_prefix(tensors, "optimizer."))
    # After a change of the number of devices, processes without a saved state keep the state from their seed.
    set_random_state(strip_prefix(tensors, f"random.{replica.rank}."))
    return int(path.stem), strip_prefix(tensors, "extra.")


def read_newest(folder: Path, run: RunIdentity) -> tuple[Path, dict[str, Tensor]] | None:
    """The newest checkpoint and its tensors, if there is one. A damaged one is skipped with a warning.

    Raises:
        UserError: the checkpoint belongs to another run.
    """
    for path in sorted(folder.glob(_NAMES), reverse=True):
        try:
            with safe_open(path, "pt") as file:
                written = json.loads((file.metadata() or {}).get("run", "{}"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        except (SafetensorError, OSError) as error:
            warnings.warn(f"{path}: is damaged ({error}); resuming from the checkpoint before it", stacklevel=2)
            continue
        for name, value in run.items():
            if written.get(name) != value:
                change = f"{name} was {written.get(name)!r} and is {value!r}"
                raise UserError(f"{path}: is a checkpoint of another run ({change}); remove {folder}")
        return path, tensors
    return None


def load_weights(model: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Load the weights of the checkpoint `path` into a model.

    Raises:
        UserError: the checkpoint belongs to another model.
    """
    try:
        model.load_state_dict(strip_prefix(tensors, "model."))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: is a checkpoint of another model ({reason}); remove {path.parent}") from None


def strip_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names start with a prefix, with the prefix removed."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _restore(optimizer: Optimizer, moments: dict[str, Tensor]) -> None:
    state = optimizer.state_dict()
    numbers = {int(name.split(".")[0]) for name in moments}
    state["state"] = {number: {name: moments[f"{number}.{name}"] for name in _MOMENTS} for number in numbers}
    optimizer.load_state_dict(state)
