"""An adaptation that is small enough for tests: a student of 1 layer x 16 on 60 reviews, with two seeds."""

from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from conftest import make_reviews
from textbook.adaptation.adapt import adapt_encoder
from textbook.models.encoder import load_config
from textbook.models.student import make_student
from textbook.params import Adapt, Student, Task
from textbook.params_file import load_params

TASK = Task(asset="lists", text=["text"], label="label", labels=["bad", "good"])
SETTINGS = load_params(Path(__file__).parents[2] / "params.yaml").adapt.model_copy(
    update={"epochs": 2, "batch": 8, "lr": 3e-3, "max_length": 32, "seeds": [3, 5]}
)


def toy_adaptation(teacher: Path, folder: Path, **changes: object) -> Path:
    """Adapt a student whose weights depend on the seed, and return its folder. `changes` replace settings."""
    data = folder / "task"
    data.mkdir(exist_ok=True)
    for split, count in (("train", 60), ("validation", 20)):
        texts, labels = map(list, zip(*make_reviews(count, seed=count), strict=True))
        pq.write_table(pa.table({"sentence": texts, "label": labels}), data / f"{split}.parquet")
    settings, target = Adapt(**{**SETTINGS.model_dump(), **changes}), folder / "student"
    adapt_encoder(teacher, data, TASK, settings, partial(_write_student, teacher), target)
    return target


def _write_student(teacher: Path, seed: int, folder: Path) -> Path:
    shape = Student(layers=1, hidden=16, heads=4, intermediate=32)
    make_student(shape, load_config(teacher), seed).save_pretrained(folder)
    return folder
