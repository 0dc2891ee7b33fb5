"""The relation loss of students on any texts, such as the sentences of a task."""

from collections.abc import Sequence

import numpy as np
import torch
from tqdm import tqdm

from textbook.models.encoder import QkvReader
from textbook.training.distillation.pair import DistillationPair
from textbook.training.distillation.relations import relation_loss
from textbook.training.engine.device import Device
from textbook.training.engine.tokens import Tokens, collate


@torch.inference_mode()
def mean_relation_losses(
    pairs: Sequence[DistillationPair], tokens: Tokens, device: Device, batch: int = 64
) -> list[float]:
    """The relation loss of MiniLMv2 of each student, averaged over all texts.

    On a task's own sentences it is an early indicator of accuracy: it needs neither adaptation nor several seeds, and
    has little noise.

    Args:
        pairs: the models, in the precision in which they are compared. All have the same teacher and teacher's layer;
            the teacher reads each text once.
    """
    teacher, layer = pairs[0].teacher, pairs[0].teacher_layer
    read_teacher = QkvReader(teacher.to(device.kind).eval(), layer)  # type: ignore[arg-type]
    students = [QkvReader(pair.student.to(device.kind).eval(), pair.student_layer) for pair in pairs]  # type: ignore[arg-type]
    order = np.argsort(tokens.lengths(), kind="stable")
    totals = [0.0] * len(pairs)
    for start in tqdm(range(0, len(order), batch), desc="relation loss", unit="batch"):
        rows = order[start : start + batch]
        inputs = {name: part.to(device.kind) for name, part in collate(tokens, rows, pairs[0].pad_id).items()}
        with device.autocast():
            target = read_teacher(**inputs)
        for number, (pair, read_student) in enumerate(zip(pairs, students, strict=True)):
            with device.autocast():
                states = read_student(**inputs)
            loss = relation_loss(target, states, inputs["attention_mask"], pair.relation_heads)
            totals[number] += len(rows) * float(loss)
    return [total / len(order) for total in totals]
