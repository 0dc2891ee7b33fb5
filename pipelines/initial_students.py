"""The weights that students start from, for the stages `init_random` and `init_general`."""

from collections.abc import Callable
from pathlib import Path

from transformers import PreTrainedModel

from pipelines.paths import ASSETS, INIT
from textbook.assets.manifest import locate
from textbook.files import atomic_write
from textbook.models.encoder import check_relation_heads, check_supported, load_config, load_tokenizer
from textbook.models.student import make_student
from textbook.params import Init, Params

Prepare = Callable[[Path, PreTrainedModel, Path], None]
"""Takes the teacher's folder, the student and the folder that is being written."""


def write_initial_student(params: Params, kind: Init, prepare: Prepare) -> None:
    """Write an encoder of the student's shape, with the teacher's tokenizer, as a Hugging Face folder.

    Args:
        prepare: called before the student is saved; may train it and add files to the folder.
    """
    teacher = locate(ASSETS / params.teacher.asset)
    config = load_config(teacher)
    check_supported(config)
    check_relation_heads(config.hidden_size, params.distill.relation_heads, "teacher")
    student = make_student(params.student, config, params.distill.seed)
    with atomic_write(INIT / kind) as temporary:
        temporary.mkdir()
        prepare(teacher, student, temporary)
        student.save_pretrained(temporary)
        load_tokenizer(teacher).save_pretrained(temporary)
