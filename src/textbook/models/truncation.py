"""The first layers of a pretrained encoder as a smaller encoder."""

from torch import nn
from transformers import PreTrainedModel


def keep_first_layers(encoder: PreTrainedModel, count: int) -> PreTrainedModel:
    """Cut an encoder to its first `count` layers, in place; one that has no more is left as it is.

    Which layers to keep is known: of five ways to drop layers before fine-tuning, dropping the top ones is the best or
    on a par with the best for BERT, RoBERTa and XLNet [Sajjad et al. 2023, "On the effect of dropping layers of
    pre-trained transformer models"]. The lower layers hold what all tasks share, and keep the inputs they know.
    """
    config = encoder.config
    if count >= config.num_hidden_layers:
        return encoder
    for module in encoder.modules():
        for name, layers in module.named_children():
            if isinstance(layers, nn.ModuleList) and len(layers) == config.num_hidden_layers:
                setattr(module, name, layers[:count])
                config.num_hidden_layers = count
                if kinds := getattr(config, "layer_types", None):  # ModernBERT names the attention of every layer
                    config.layer_types = kinds[:count]
                return encoder
    raise AssertionError(f"{type(encoder).__name__} has no list of its {config.num_hidden_layers} layers")
