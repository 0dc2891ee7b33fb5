"""textbook: make a small language model for one task out of a large one.

`contextualize`, `distill` and `adapt` do so from a notebook (`textbook.api`), without DVC and MLflow. The library below
them, in the order in which data flows: assets, tables, corpus, tasks, retrieval, models, textbooks, training,
evaluation, adaptation, reporting. Two modules of it use Ray, where there is enough work to share: `ray_tasks` and
`training.distributed.ray_workers`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textbook.api import adapt, contextualize, distill

__all__ = ["adapt", "contextualize", "distill"]


def __getattr__(name: str) -> Any:
    """Import the functions of the API only when they are used: PyTorch and transformers take seconds."""
    if name in __all__:
        return getattr(import_module("textbook.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
