"""Students: ordinary Hugging Face models with the teacher's vocabulary and a shape of our choice."""

from typing import Any

import torch
from transformers import AutoModel, PreTrainedModel

from textbook.errors import UserError
from textbook.params import Student

FAMILIES = ("bert", "roberta", "xlm-roberta", "electra")


def make_student(shape: Student, teacher_config: Any, seed: int) -> PreTrainedModel:
    """A randomly initialised encoder of the teacher's family and vocabulary.

    Raises:
        UserError: the teacher's family is none that we can build a student of.
    """
    if teacher_config.model_type not in FAMILIES:
        raise UserError(f"teacher of type {teacher_config.model_type!r}: students can be made of {', '.join(FAMILIES)}")
    config = type(teacher_config)(
        vocab_size=teacher_config.vocab_size,
        max_position_embeddings=teacher_config.max_position_embeddings,
        type_vocab_size=teacher_config.type_vocab_size,
        pad_token_id=teacher_config.pad_token_id,
        bos_token_id=getattr(teacher_config, "bos_token_id", None),
        eos_token_id=getattr(teacher_config, "eos_token_id", None),
        layer_norm_eps=teacher_config.layer_norm_eps,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.intermediate,
    )
    torch.manual_seed(seed)
    student: PreTrainedModel = AutoModel.from_config(config)  # type: ignore[no-untyped-call]
    return student
