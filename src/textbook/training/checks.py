"""Refusing what cannot be distilled before a second is spent on it."""

from typing import Any

from torch import nn
from transformers import PreTrainedModel

from textbook.errors import UserError
from textbook.models.encoder import check_relation_heads
from textbook.training.tokens import Tokens


def check_fit(teacher: PreTrainedModel, student: PreTrainedModel, tokens: Tokens, relation_heads: int) -> None:
    """Check that the models and the textbook can work together.

    Raises:
        UserError: the vocabularies differ, the tokens are of another tokenizer, texts are longer than a model can
            read, or a hidden size cannot be divided.
    """
    where = f"{tokens.folder}: " if tokens.folder else ""
    if not len(tokens):
        raise UserError(f"{where}the textbook has no texts: must have one at least")
    for whose, model in (("teacher", teacher), ("student", student)):
        embeddings = model.get_input_embeddings()
        assert isinstance(embeddings, nn.Embedding)
        words = embeddings.num_embeddings
        if tokens.largest >= words:
            raise UserError(
                f"{where}has the token id {tokens.largest}, but the {whose}'s vocabulary ends at {words - 1}:"
                " the textbook must be tokenised with the teacher's own tokenizer"
            )
        longest = longest_text(model.config)
        if longest is not None and tokens.longest > longest:
            raise UserError(
                f"{where}has a text of {tokens.longest} tokens, but the {whose} reads {longest} at the most:"
                " distill.max_length must not exceed that"
            )
        check_relation_heads(model.config.hidden_size, relation_heads, whose)
    sizes = [model.config.vocab_size for model in (teacher, student)]
    if sizes[0] != sizes[1]:
        raise UserError(f"the student's vocabulary has {sizes[1]} tokens: must be the teacher's, which has {sizes[0]}")


def longest_text(config: Any) -> int | None:
    """How many tokens a model can read; None if its positions don't end, as relative ones don't."""
    positions = getattr(config, "max_position_embeddings", None)
    if positions is None or config.model_type in ("deberta-v2", "modernbert"):
        return None
    # RoBERTa and its kin count positions from the one after that of padding.
    first = config.pad_token_id + 1 if config.model_type in ("roberta", "xlm-roberta", "mpnet") else 0
    return int(positions) - first
