"""What the benchmarks of distillation share: models, batches and tokens."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from transformers import AutoModel, PreTrainedModel, RobertaConfig

from textbook.models.encoder import load_config, resolve_layer
from textbook.models.student import make_student
from textbook.training.engine.device import Device
from textbook.training.engine.tokens import Tokens

# Shapes with plain attributes: `textbook.params` needs pydantic.
SMALL: Any = SimpleNamespace(layers=3, hidden=192, heads=12, intermediate=768)
PAPER: Any = SimpleNamespace(layers=6, hidden=384, heads=12, intermediate=1536)
SETTINGS: Any = {
    "lr": 1e-4,
    "warmup": 0.01,
    "weight_decay": 0.01,
    "seed": 0,
    "order_seed": 0,
    "cuda_graphs": False,
    "deterministic": False,
    "shard_teacher": False,
    "snapshots": [],
}


@dataclass(frozen=True)
class Setting:
    """The models, batches and tokens of the benchmark."""

    teacher: Any
    teacher_layer: int
    shape: Any
    heads: int
    batch: int
    pad_id: int
    tokens: Tokens


def make_setting(teacher: Path, tokens: Tokens, device: Device) -> Setting:
    """The paper's setting with a GPU, otherwise the quickstart's. Both use the texts of the textbook."""
    config = load_config(teacher)
    if device.kind.type == "cuda":
        large = RobertaConfig(vocab_size=50265, max_position_embeddings=514, pad_token_id=1, type_vocab_size=1)
        large.update(
            {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
        )
        layer = resolve_layer("auto", 24, "roberta")
        return Setting(large, layer, PAPER, 64, 256, 1, tokens)
    return Setting(config, config.num_hidden_layers, SMALL, 24, 64, config.pad_token_id, tokens)


def models(setting: Setting, attention: str) -> tuple[PreTrainedModel, PreTrainedModel]:
    """Teacher and student with random weights, because the speed does not depend on the weights."""
    torch.manual_seed(0)
    teacher = AutoModel.from_config(setting.teacher, attn_implementation=attention)
    student = make_student(setting.shape, setting.teacher, seed=0)
    student.set_attn_implementation(attention)
    return teacher, student
