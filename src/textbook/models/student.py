"""Students: ordinary Hugging Face models with the teacher's vocabulary and a shape of our choice."""

from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoModel, BertConfig, PreTrainedModel

OWN_KIND = ("bert", "roberta", "xlm-roberta", "electra")
LONGEST = 514  # positions of a student at the most; RoBERTa counts them from 2


@dataclass(frozen=True)
class Shape:
    """A student's shape; the fields are those of `student` in the parameters."""

    layers: int
    hidden: int
    heads: int
    intermediate: int


def make_student(shape: Shape, teacher_config: Any, seed: int) -> PreTrainedModel:
    """A randomly initialised encoder with the teacher's vocabulary.

    It is of the teacher's own kind if that is BERT, RoBERTa, XLM-R or ELECTRA, else a BERT.
    """
    kind = type(teacher_config) if teacher_config.model_type in OWN_KIND else BertConfig
    config = kind(
        vocab_size=teacher_config.vocab_size,
        max_position_embeddings=min(teacher_config.max_position_embeddings, LONGEST),
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
