"""A model in training whose state is spread over processes by DeepSpeed: made, saved as a whole, and taken up again.

A checkpoint holds whole tensors, so a run can go on with other stages of ZeRO and on another number of processes.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.optim import Optimizer

from textbook.errors import UserError
from textbook.params import Teacher
from textbook.training.checkpoints import below, write_step
from textbook.training.device import best_device

PERSISTENT = 100_000  # weights with fewer elements are whole in every process, in stage 3 too
BUCKET = 50_000_000  # elements that are sent together, at most
MOMENTS = ("exp_avg", "exp_avg_sq")


def make_engine(model: nn.Module, optimizer: Optimizer, how: Teacher, batch: int) -> Any:
    """DeepSpeed's engine around a model, in this process of `torch.distributed`.

    Args:
        batch: rows of a batch, over all processes.

    Raises:
        UserError: there is no such precision here.
    """
    import deepspeed
    from deepspeed.utils import logger

    logger.setLevel("WARNING")
    deepspeed.ops.__compatible_ops__ = {}  # else it compiles a C++ operation, of no use in training, when it starts
    parts = dist.get_world_size() * how.accumulation
    bucket = min(BUCKET, sum(parameter.numel() for parameter in model.parameters()))
    zero: dict[str, Any] = {
        "stage": how.zero.stage,
        "reduce_bucket_size": bucket,
        "allgather_bucket_size": bucket,
        "stage3_prefetch_bucket_size": bucket,
        "stage3_param_persistence_threshold": PERSISTENT,
    }
    if how.zero.offload and torch.cuda.is_available():
        place = {"device": "cpu", "pin_memory": True}
        zero |= {"offload_optimizer": place} | ({"offload_param": place} if how.zero.stage == 3 else {})
    config = {
        "train_micro_batch_size_per_gpu": -(-batch // parts),
        "gradient_accumulation_steps": how.accumulation,
        "gradient_clipping": 1.0,
        "zero_optimization": zero,
        "zero_force_ds_cpu_optimizer": False,  # PyTorch's own AdamW, which needs no compiler
        **_precision(how.precision),
    }
    engine = deepspeed.initialize(model=model, optimizer=optimizer, config=config, dist_init_required=False)[0]
    # DeepSpeed 0.19 finds the moments of the first group only, unless they are there before the first step.
    for group in optimizer.param_groups:
        for part in group["params"]:
            step = torch.zeros((), device=part.device)
            optimizer.state[part] = {"step": step, **{moment: torch.zeros_like(part) for moment in MOMENTS}}
    return engine


def _precision(precision: str) -> dict[str, Any]:
    """`auto` is bf16 where the hardware multiplies in it. With bf16 the weights are fp32, as in the plain loop."""
    if precision == "fp16":
        if not torch.cuda.is_available():
            raise UserError("teacher.precision = 'fp16': needs a GPU; fp32 and bf16 also work on the CPU")
        return {"fp16": {"enabled": True}}
    if precision == "bf16" or (precision == "auto" and best_device().bf16):
        return {"torch_autocast": {"enabled": True, "dtype": "bfloat16"}}
    return {}


def whole_weights(engine: Any) -> dict[str, Tensor]:
    """All weights in fp32, on the CPU of rank 0 (elsewhere nothing); all processes have to call it."""
    from deepspeed.utils import safe_get_full_fp32_param

    sharded = engine.zero_optimization_stage() > 0
    weights = {}
    for name, tensor in engine.module.state_dict(keep_vars=True).items():
        whole = safe_get_full_fp32_param(tensor) if sharded and isinstance(tensor, nn.Parameter) else tensor
        if dist.get_rank() == 0:
            weights[name] = whole.detach().cpu().clone()
    return weights


def save_engine(engine: Any, folder: Path, losses: Tensor) -> None:
    """Save a checkpoint after as many steps as there are losses; all processes have to call it."""
    from deepspeed.utils import safe_get_full_optimizer_state

    tensors = {f"model.{name}": tensor for name, tensor in whole_weights(engine).items()} | {"losses": losses.cpu()}
    sharded = engine.zero_optimization_stage() > 0
    for name, parameter in engine.module.named_parameters():
        for moment in MOMENTS:
            if sharded:
                whole = safe_get_full_optimizer_state(parameter, moment)
            else:
                whole = engine.basic_optimizer.state[parameter][moment]
            if dist.get_rank() == 0:
                tensors[f"{moment}.{name}"] = whole.cpu().clone()
    if dist.get_rank() == 0:
        write_step(folder, len(losses), tensors, {})
    dist.barrier()


def restore_engine(engine: Any, tensors: dict[str, Tensor], idle_step: Callable[[], object]) -> None:
    """Go on from a checkpoint, whose weights the model already had when the engine was made.

    Args:
        idle_step: makes a training step with learning rate 0: moments can be set only after a step.
    """
    from deepspeed.utils import safe_set_full_fp32_param, safe_set_full_optimizer_state

    optimizer = engine.basic_optimizer
    skipped = -1
    while skipped < engine.skipped_steps:  # the loss scale of fp16 starts too high, and such a step is left out
        skipped = engine.skipped_steps
        idle_step()
    sharded = engine.zero_optimization_stage() > 0
    weights = below(tensors, "model.")
    for name, parameter in engine.module.named_parameters():
        if sharded:
            safe_set_full_fp32_param(parameter, weights[name].to(engine.device))
        for moment in MOMENTS:
            whole = tensors[f"{moment}.{name}"].to(engine.device)
            if sharded:
                safe_set_full_optimizer_state(parameter, whole, moment)
            else:
                optimizer.state[parameter][moment].copy_(whole)
    for state in optimizer.state.values():
        state["step"].fill_(len(tensors["losses"]))
