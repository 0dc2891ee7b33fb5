"""The relation loss of a student on any texts, such as the sentences of a task."""

import numpy as np
import torch
from tqdm import tqdm

from textbook.models.encoder import QkvReader
from textbook.training.distillation.pair import DistillationPair
from textbook.training.distillation.relations import relation_loss
from textbook.training.engine.device import Device
from textbook.training.engine.tokens import Tokens, collate


@torch.inference_mode()
def mean_relation_loss(pair: DistillationPair, tokens: Tokens, device: Device, batch: int = 64) -> float:
    """The relation loss of MiniLMv2, averaged over all texts.

    On a task's own sentences it is an early indicator of accuracy: it needs neither adaptation nor several seeds, and
    has little noise.

    Args:
        pair: the models, in the precision in which they are compared.
    """
    read_teacher = QkvReader(pair.teacher.to(device.kind).eval(), pair.teacher_layer)  # type: ignore[arg-type]
    read_student = QkvReader(pair.student.to(device.kind).eval(), pair.student_layer)  # type: ignore[arg-type]
    order = np.argsort(tokens.lengths(), kind="stable")
    total = 0.0
    for start in tqdm(range(0, len(order), batch), desc="relation loss", unit="batch"):
        rows = order[start : start + batch]
        inputs = {name: part.to(device.kind) for name, part in collate(tokens, rows, pair.pad_id).items()}
        with device.autocast():
            target, states = read_teacher(**inputs), read_student(**inputs)
        total += len(rows) * float(relation_loss(target, states, inputs["attention_mask"], pair.relation_heads))
    return total / len(order)
