"""How many students of a sweep fit into memory beside each other."""

from pathlib import Path

from pipelines.paths import ASSETS
from textbook.assets.manifest import locate
from textbook.cells.memory import students_in_memory
from textbook.models.folders import model_folder, read_settings
from textbook.params import Params
from textbook.plan.training import student_shape


def most_in_memory(params: Params, slots: int) -> int:
    """The number of students of a shape that fit into a slot's part of this machine's memory.

    That of its GPU, if students are distilled on GPUs and this machine has one. A student's weights are counted by
    arithmetic, because making one would import PyTorch and transformers, which otherwise only the workers need.

    Args:
        params: those of a cell.
        slots: the number of cohorts that run in parallel.

    Raises:
        UserError: the teacher's files are missing or changed, or are not those of a model.
    """
    shape = student_shape(params.student, _vocabulary(locate(ASSETS / params.teacher.asset)))
    return students_in_memory(shape.weights, gpus=params.sweep.gpus, slots=slots)


def _vocabulary(model: Path) -> int:
    """The number of token ids of a model in a Hugging Face folder."""
    settings = read_settings(model_folder(model) / "config.json")
    if "vocab_size" in settings:
        return int(settings["vocab_size"])
    from textbook.models.encoder import load_config  # it knows the default, but takes seconds to import

    return int(load_config(model).vocab_size)
