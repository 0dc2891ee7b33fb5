"""Paths of inputs and outputs, relative to the project's root, from which every command runs."""

from pathlib import Path

DATA = Path("data")
ASSETS = DATA / "assets"
SENTENCES = DATA / "sentences"
CORPUS = DATA / "corpus"
INDEX = DATA / "index"
TASKS = DATA / "tasks"
TEXTBOOKS = DATA / "textbooks"
INIT = DATA / "init"
MODELS = DATA / "models"
EVALUATION = DATA / "evaluation"
REGISTRY = DATA / "registry"
CELLS = DATA / "cells"
REPORTS = Path("reports")
VALIDATION_REPORTS = REPORTS / "validation"
EXPECTATIONS = Path("pipelines/expectations")
PROFILES = Path("profiles")
CACHE = Path(".cache")
"""Checkpoints and other files that can be rebuilt. DVC deletes the outputs of a stage before it runs, but not these."""


def textbook_files(task: str, kind: str) -> list[Path]:
    """The textbooks that a student is distilled on, in order. A kind with a `+` has two."""
    return [TEXTBOOKS / task / f"{part}.parquet" for part in kind.split("+")]


def teacher_folder(task: str) -> Path:
    """The folder of the teacher that was fine-tuned on a task."""
    return MODELS / task / "teacher"
