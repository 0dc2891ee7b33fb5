"""The first layers of a pretrained encoder as a smaller encoder."""

from torch import nn
from transformers import PreTrainedModel


def keep_first_layers(encoder: PreTrainedModel, count: int) -> PreTrainedModel:
    """Cut an encoder to its first `count` layers, in place; one that has no more is left as it is.

    The first layers, because the lower layers matter most for the score after fine-tuning. BERT, RoBERTa and XLNet that
    were cut so and fine-tuned did as well as distilled models of the same size [Sajjad, Dalvi, Durrani and Nakov 2023,
    "On the effect of dropping layers of pre-trained transformer models", Computer Speech & Language 77, 101429].
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
