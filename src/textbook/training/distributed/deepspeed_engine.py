"""Create, save and restore a DeepSpeed engine, which shards the training state of a model over processes.

A checkpoint holds unsharded tensors, so a run can resume with another ZeRO stage and another number of processes.
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
from textbook.training.engine.checkpoints import RunIdentity, strip_prefix, write_step
from textbook.training.engine.device import best_device

PERSISTENT = 100_000  # in stage 3, weights with fewer elements are not sharded
BUCKET = 50_000_000  # maximum number of elements in one message
MOMENTS = ("exp_avg", "exp_avg_sq")


def make_engine(model: nn.Module, optimizer: Optimizer, how: Teacher, batch: int) -> Any:
    """Wrap a model in a DeepSpeed engine; the process group of `torch.distributed` must be initialised.

    Args:
        batch: rows of a batch, over all processes.

    Raises:
        UserError: the precision needs a GPU, and there is none.
    """
    import deepspeed
    from deepspeed.utils import logger

    logger.setLevel("WARNING")
    deepspeed.ops.__compatible_ops__ = {}  # keeps DeepSpeed from compiling a C++ op that training does not use
    micro_batches = dist.get_world_size() * how.accumulation
    bucket = min(BUCKET, sum(parameter.numel() for parameter in model.parameters()))
    zero: dict[str, Any] = {
        "stage": how.zero.stage,
        "reduce_bucket_size": bucket,
        "allgather_bucket_size": bucket,
        "stage3_prefetch_bucket_size": bucket,
        "stage3_param_persistence_threshold": PERSISTENT,
    }
    if how.zero.offload and torch.cuda.is_available():
        cpu = {"device": "cpu", "pin_memory": True}
        zero |= {"offload_optimizer": cpu} | ({"offload_param": cpu} if how.zero.stage == 3 else {})
    config = {
        "train_micro_batch_size_per_gpu": -(-batch // micro_batches),
        "gradient_accumulation_steps": how.accumulation,
        "gradient_clipping": 1.0,
        "zero_optimization": zero,
        "zero_force_ds_cpu_optimizer": False,  # use PyTorch's AdamW, which needs no compiler
        **_precision(how.precision),
    }
    engine = deepspeed.initialize(model=model, optimizer=optimizer, config=config, dist_init_required=False)[0]
    # DeepSpeed 0.19 finds only the moments of the first parameter group, unless all exist before the first step.
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            step = torch.zeros((), device=parameter.device)
            optimizer.state[parameter] = {"step": step, **{moment: torch.zeros_like(parameter) for moment in MOMENTS}}
    return engine


def _precision(precision: str) -> dict[str, Any]:
    """DeepSpeed's settings for a precision; `auto` is bf16 if the hardware multiplies in bf16, otherwise fp32.

    With bf16 the weights stay in fp32, as in the plain loop.
    """
    if precision == "fp16":
        if not torch.cuda.is_available():
            raise UserError("teacher.precision = 'fp16': needs a GPU; fp32 and bf16 also work on the CPU")
        return {"fp16": {"enabled": True}}
    if precision == "bf16" or (precision == "auto" and best_device().bf16):
        return {"torch_autocast": {"enabled": True, "dtype": "bfloat16"}}
    return {}


def whole_weights(engine: Any) -> dict[str, Tensor]:
    """All weights, unsharded, in fp32, on the CPU of rank 0; empty on other ranks. All processes must call it."""
    from deepspeed.utils import safe_get_full_fp32_param

    sharded = engine.zero_optimization_stage() > 0
    weights = {}
    for name, tensor in engine.module.state_dict(keep_vars=True).items():
        full = safe_get_full_fp32_param(tensor) if sharded and isinstance(tensor, nn.Parameter) else tensor
        if dist.get_rank() == 0:
            weights[name] = full.detach().cpu().clone()
    return weights


def save_engine(engine: Any, folder: Path, losses: Tensor, run: RunIdentity) -> None:
    """Save a checkpoint after `len(losses)` steps. All processes must call it."""
    from deepspeed.utils import safe_get_full_optimizer_state

    tensors = {f"model.{name}": tensor for name, tensor in whole_weights(engine).items()} | {"losses": losses.cpu()}
    sharded = engine.zero_optimization_stage() > 0
    for name, parameter in engine.module.named_parameters():
        for moment in MOMENTS:
            if sharded:
                full = safe_get_full_optimizer_state(parameter, moment)
            else:
                full = engine.basic_optimizer.state[parameter][moment]
            if dist.get_rank() == 0:
                tensors[f"{moment}.{name}"] = full.cpu().clone()
    if dist.get_rank() == 0:
        write_step(folder, len(losses), tensors, run)
    dist.barrier()


def restore_engine(engine: Any, tensors: dict[str, Tensor], idle_step: Callable[[], object]) -> None:
    """Restore a checkpoint. Its weights must have been loaded into the model before the engine was made.

    Args:
        idle_step: runs a training step with learning rate 0, because DeepSpeed can set moments only after a step.
    """
    from deepspeed.utils import safe_set_full_fp32_param, safe_set_full_optimizer_state

    optimizer = engine.basic_optimizer
    skipped = -1
    while skipped < engine.skipped_steps:  # fp16 skips the first steps, because its loss scale starts too high
        skipped = engine.skipped_steps
        idle_step()
    sharded = engine.zero_optimization_stage() > 0
    weights = strip_prefix(tensors, "model.")
    for name, parameter in engine.module.named_parameters():
        if sharded:
            safe_set_full_fp32_param(parameter, weights[name].to(engine.device))
        for moment in MOMENTS:
            full = tensors[f"{moment}.{name}"].to(engine.device)
            if sharded:
                safe_set_full_optimizer_state(parameter, full, moment)
            else:
                optimizer.state[parameter][moment].copy_(full)
    for state in optimizer.state.values():
        state["step"].fill_(len(tensors["losses"]))
