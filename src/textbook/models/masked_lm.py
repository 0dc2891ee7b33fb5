"""Masked-LM predictions at selected positions only."""

import re

from torch import Tensor, nn
from transformers import PreTrainedModel

_AFTER_ATTENTION = re.compile(r"\.layer\.\d+\.attention\.output$")


def logits_at(model: PreTrainedModel, inputs: dict[str, Tensor], rows: Tensor, positions: Tensor) -> Tensor:
    """The logits of a masked language model at selected positions of a batch.

    The modules after the last attention run at these positions only.

    Args:
        inputs: token ids, attention mask and segments, each [batch, seq].
        rows, positions: indices that select `input_ids[rows, positions]`; both [n].

    Returns:
        Logits [n, vocabulary].
    """

    def select(_module: nn.Module, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(state[rows, positions].unsqueeze(1) for state in states)

    hook = _first_positionwise_module(model).register_forward_pre_hook(select)
    try:
        logits: Tensor = model(**inputs).logits
    finally:
        hook.remove()
    return logits[:, 0]


def _first_positionwise_module(model: PreTrainedModel) -> nn.Module:
    """A module from which on the model computes each position independently.

    For models with the module names of BERT (RoBERTa, XLM-R, ELECTRA), it follows the last attention. For other models
    it is the projection to the vocabulary.
    """
    outputs = [module for name, module in model.named_modules() if _AFTER_ATTENTION.search(name)]
    decoder: nn.Module = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    return outputs[-1] if outputs else decoder
