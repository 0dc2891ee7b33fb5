"""A teacher, a student, and the layers whose relations are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import PreTrainedModel

from textbook.errors import UserError
from textbook.models.encoder import check_relation_heads, load_config, load_encoder, load_tokenizer, resolve_layer
from textbook.training.engine.checks import check_readable
from textbook.training.engine.tokens import Tokens

if TYPE_CHECKING:
    from textbook.params import Distill


@dataclass(frozen=True)
class DistillationPair:
    """A teacher, a student, and the layers that are compared."""

    teacher: PreTrainedModel
    student: PreTrainedModel
    """Both are bare encoders over the same vocabulary."""
    teacher_layer: int
    student_layer: int
    """The layers whose queries, keys and values are compared, counted from 1."""
    relation_heads: int
    """Divides both hidden sizes."""
    pad_id: int


def load_pair(
    teacher: Path, student: PreTrainedModel, settings: Distill, dtype: torch.dtype = torch.float32
) -> DistillationPair:
    """Load a teacher and pair it with a student; see `load_pairs`."""
    return load_pairs(teacher, [student], settings, dtype)[0]


def load_pairs(
    teacher: Path, students: Sequence[PreTrainedModel], settings: Distill, dtype: torch.dtype = torch.float32
) -> list[DistillationPair]:
    """Load a teacher and pair it with each of several students. A student's last layer is compared.

    Args:
        teacher: a Hugging Face folder.
        settings: `relation_heads` and `teacher_layer` are read.
        dtype: the precision of the teacher's weights.

    Raises:
        UserError: the teacher cannot be loaded.
    """
    config, encoder = load_config(teacher), load_encoder(teacher, dtype)
    layer = resolve_layer(settings.teacher_layer, config.num_hidden_layers, config.model_type)
    pad_id = load_tokenizer(teacher).pad_token_id
    return [
        DistillationPair(encoder, student, layer, student.config.num_hidden_layers, settings.relation_heads, pad_id)
        for student in students
    ]


def check_pair(pair: DistillationPair, tokens: Tokens) -> None:
    """Check that models and textbook are compatible, before training starts.

    Raises:
        UserError: the textbook is empty, the vocabularies differ, the tokens come from another tokenizer, a text is
            longer than a model can read, or the relation heads do not divide a hidden size.
    """
    for role, model in (("teacher", pair.teacher), ("student", pair.student)):
        check_readable(model.config, tokens, pair.pad_id, whose=role, section="distill")
        check_relation_heads(model.config.hidden_size, pair.relation_heads, role)
    sizes = [model.config.vocab_size for model in (pair.teacher, pair.student)]
    if sizes[0] != sizes[1]:
        raise UserError(f"the student's vocabulary has {sizes[1]} tokens: must have {sizes[0]}, like the teacher's")
