"""A distillation small enough to be run over and over: a student of 2 layers x 16 on 200 sentences."""

import copy
from dataclasses import replace

import torch
from transformers import AutoModel

from conftest import make_sentences
from textbook.models.encoder import load_config, load_encoder, load_tokenizer
from textbook.models.student import Shape, make_student
from textbook.training.device import Device
from textbook.training.distill import Settings, distill
from textbook.training.log import silent
from textbook.training.tokens import tokenize

CPU = Device(torch.device("cpu"), bf16=False)
SHAPE = Shape(layers=2, hidden=16, heads=4, intermediate=32)
SETTINGS = Settings(relation_heads=4, steps=40, batch=16, lr=5e-3, warmup=0.1, weight_decay=0.01, seed=0)


def toy_tokens(teacher_folder, count=200):
    return tokenize(load_tokenizer(teacher_folder), make_sentences(count, seed=0), None, 32)


def toy_student(teacher_folder, **changes):
    """A fresh student; `changes` are those of its configuration, such as no dropout."""
    config = copy.deepcopy(make_student(SHAPE, load_config(teacher_folder), seed=0).config)
    config.update(changes)
    torch.manual_seed(0)
    return AutoModel.from_config(config)


NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def toy_distillation(teacher_folder, student=None, teacher=None, tokens=None, devices=(CPU,), **changes):
    """Distil and give the student; `changes` are settings, further arguments of `distill`, and `kept` for snapshots."""
    student = toy_student(teacher_folder) if student is None else student
    arguments = {"snapshots": changes.pop("kept", None), "checkpoints": changes.pop("checkpoints", None)}
    arguments["log"] = changes.pop("log", silent)
    layers = {name: changes.pop(name, 2) for name in ("teacher_layer", "student_layer")}
    distill(
        load_encoder(teacher_folder) if teacher is None else teacher,
        student,
        toy_tokens(teacher_folder) if tokens is None else tokens,
        replace(SETTINGS, **changes),
        pad_id=load_tokenizer(teacher_folder).pad_token_id,
        devices=devices,
        **layers,
        **arguments,
    )
    return student


def figures_of(teacher_folder, name="loss", **changes):
    """A figure that is logged, by logging."""
    history = []
    toy_distillation(teacher_folder, log=lambda _, figures: history.append(figures[name]), **changes)
    return history
