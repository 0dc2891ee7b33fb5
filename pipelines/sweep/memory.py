"""How many students of a sweep fit into memory beside each other."""

from pathlib import Path

from pipelines.paths import ASSETS
from textbook.assets.manifest import locate
from textbook.cells.memory import students_in_memory
from textbook.files import read_json
from textbook.models.folders import model_folder
from textbook.params import Params
from textbook.plan.sizes import Shape


def most_in_memory(params: Params, slots: int) -> int:
    """The number of students of a shape that fit into a slot's part of this machine's memory.

    That of its GPU, if students are distilled on GPUs and this machine has one. A student's weights are counted by
    arithmetic, because making one would import PyTorch and transformers, which otherwise only the workers need.

    Args:
        params: those of a cell.
        slots: the number of cohorts that run in parallel.

    Raises:
        UserError: the teacher's files are missing or changed.
    """
    student = params.student
    words = _vocabulary(model_folder(locate(ASSETS / params.teacher.asset)))
    weights = Shape(student.layers, student.hidden, student.intermediate, words).weights
    return students_in_memory(weights, gpus=params.sweep.gpus, slots=slots)


def _vocabulary(folder: Path) -> int:
    """The number of token ids of a model."""
    config = read_json(folder / "config.json")
    if "vocab_size" in config:
        return int(config["vocab_size"])
    from textbook.models.encoder import load_config  # it knows the default, but takes seconds to import

    return int(load_config(folder).vocab_size)
