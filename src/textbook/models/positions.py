"""Maximum input length of a model, which depends on how its architecture numbers positions."""

from typing import Any

STUDENT_POSITIONS = 514
"""Maximum number of positions of a student: 512 tokens, and two that RoBERTa's numbering leaves unused."""

_AFTER_PADDING = ("roberta", "xlm-roberta", "mpnet")  # they number positions from pad_token_id + 1


def first_position(config: Any) -> int:
    """Position id of the first token of a text."""
    return (config.pad_token_id or 0) + 1 if config.model_type in _AFTER_PADDING else 0


def _is_relative(config: Any) -> bool:
    """Whether a model has no embeddings of absolute positions. DeBERTa can have them; its published models don't."""
    return config.model_type == "modernbert" or (
        config.model_type == "deberta-v2" and not getattr(config, "position_biased_input", True)
    )


def max_tokens(config: Any) -> int | None:
    """Maximum number of tokens of an input; None if positions are relative, so that there is no maximum."""
    positions = getattr(config, "max_position_embeddings", None)
    if positions is None or _is_relative(config):
        return None
    return int(positions) - first_position(config)
