"""Students: ordinary Hugging Face models with the teacher's vocabulary and a configurable shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoModel, BertConfig, PreTrainedModel

from textbook.models.positions import STUDENT_POSITIONS

if TYPE_CHECKING:
    from textbook.params import Student

STUDENT_ARCHITECTURES = ("bert", "roberta", "xlm-roberta", "electra")


def make_student(shape: Student, teacher_config: Any, seed: int) -> PreTrainedModel:
    """Create a randomly initialised encoder with the teacher's vocabulary.

    The student has the teacher's architecture if that is BERT, RoBERTa, XLM-R or ELECTRA; otherwise it is a BERT.
    """
    config_class = type(teacher_config) if teacher_config.model_type in STUDENT_ARCHITECTURES else BertConfig
    config = config_class(
        vocab_size=teacher_config.vocab_size,
        max_position_embeddings=min(teacher_config.max_position_embeddings, STUDENT_POSITIONS),
        type_vocab_size=getattr(teacher_config, "type_vocab_size", 0) or 2,
        pad_token_id=teacher_config.pad_token_id,
        bos_token_id=getattr(teacher_config, "bos_token_id", None),
        eos_token_id=getattr(teacher_config, "eos_token_id", None),
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.intermediate,
    )
    if config.model_type == teacher_config.model_type:
        config.layer_norm_eps = teacher_config.layer_norm_eps
    if config.model_type == "electra":
        config.embedding_size = shape.hidden
    torch.manual_seed(seed)
    student: PreTrainedModel = AutoModel.from_config(config)  # type: ignore[no-untyped-call]
    return student


def student_parameters(shape: Student, teacher_config: Any) -> int:
    """Number of parameters of a student's encoder, including embeddings. Allocates no memory for them."""
    with torch.device("meta"):
        return make_student(shape, teacher_config, seed=0).num_parameters()
