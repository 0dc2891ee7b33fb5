"""A distillation that is small enough for tests: a student of 2 layers x 16 on 200 sentences."""

import copy
from pathlib import Path

import torch
from transformers import AutoModel

from conftest import make_sentences
from textbook.models.encoder import load_config, load_encoder, load_tokenizer
from textbook.models.student import make_student
from textbook.params import Student
from textbook.params_file import load_params
from textbook.training.distillation.distill import distill
from textbook.training.distillation.pair import DistillationPair
from textbook.training.engine.device import Device
from textbook.training.engine.log import silent
from textbook.training.engine.tokens import tokenize

ROOT = Path(__file__).parents[1]
CPU = Device(torch.device("cpu"), bf16=False)
SHAPE = Student(layers=2, hidden=16, heads=4, intermediate=32)
SETTINGS = load_params(ROOT / "params.yaml").distill.model_copy(
    update={
        "relation_heads": 4,
        "steps": 40,
        "batch": 16,
        "lr": 5e-3,
        "warmup": 0.1,
        "weight_decay": 0.01,
        "seed": 0,
        "cuda_graphs": False,
        "deterministic": False,
        "shard_teacher": False,
        "snapshots": [],
    }
)


def toy_tokens(teacher_folder, count=200):
    return tokenize(load_tokenizer(teacher_folder), make_sentences(count, seed=0), None, 32)


def toy_student(teacher_folder, **changes):
    """A student with random weights; `changes` update its configuration, for example `NO_DROPOUT`."""
    config = copy.deepcopy(make_student(SHAPE, load_config(teacher_folder), seed=0).config)
    config.update(changes)
    torch.manual_seed(0)
    return AutoModel.from_config(config)


NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def toy_pair(teacher_folder, student=None, teacher=None, **changes):
    """The tiny teacher and a student; `changes` replace fields of the pair, for example a layer."""
    return DistillationPair(
        load_encoder(teacher_folder) if teacher is None else teacher,
        toy_student(teacher_folder) if student is None else student,
        **{
            "teacher_layer": 2,
            "student_layer": 2,
            "relation_heads": SETTINGS.relation_heads,
            "pad_id": load_tokenizer(teacher_folder).pad_token_id,
            **changes,
        },
    )


def toy_distillation(teacher_folder, student=None, teacher=None, tokens=None, devices=(CPU,), **changes):
    """Distil and return the student.

    `changes` are settings, further fields of the pair, or arguments of `distill`; its argument `snapshots`, a folder,
    is called `snapshot_folder` here because `snapshots` is also a setting.
    """
    arguments = {"snapshots": changes.pop("snapshot_folder", None), "checkpoints": changes.pop("checkpoints", None)}
    arguments["log"] = changes.pop("log", silent)
    layers = {name: changes.pop(name) for name in ("teacher_layer", "student_layer") if name in changes}
    pair = toy_pair(teacher_folder, student, teacher, **layers)
    distill(
        pair,
        toy_tokens(teacher_folder) if tokens is None else tokens,
        SETTINGS.model_copy(update=changes),
        devices=devices,
        **arguments,
    )
    return pair.student


def logged_values(teacher_folder, name="loss", **changes):
    """The values of one figure, one for each line of the log."""
    history = []
    toy_distillation(teacher_folder, log=lambda _, figures: history.append(figures[name]), **changes)
    return history
