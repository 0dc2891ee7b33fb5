"""An unpacked bundle of one cell that is small enough for tests: a student of 1 layer x 16 on 100 sentences."""

from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from conftest import make_reviews, make_sentences
from textbook.bundle.archive import file_hashes
from textbook.bundle.contents import CONTENTS, describe
from textbook.cells.cell import Cell
from textbook.cells.job import CellInputs, CellJob
from textbook.evaluation.predictions import PREDICTIONS, write_predictions
from textbook.files import write_json
from textbook.models.classifier import load_classifier
from textbook.models.encoder import load_tokenizer
from textbook.params import Student, Task
from textbook.params_file import load_params
from textbook.training.engine.token_file import tokenize_book
from textbook.training.engine.tokens import open_tokens

CELL = Cell("films", "random", "task", "general", 0)
SHAPE = Student(layers=1, hidden=16, heads=4, intermediate=32)
TASK = Task(asset="lists", text=["text"], label="label", labels=["bad", "good"])


def write_bundle(folder: Path, teacher: Path, steps: int) -> CellJob:
    """Write the bundle and return its job."""
    params = load_params(Path(__file__).parents[2] / "params.yaml")
    changes = {"steps": steps, "batch": 16, "max_length": 32, "relation_heads": 4, "textbook": "general"}
    data, tuned, tokens = (folder / "inputs" / name for name in ("data", "teacher", "tokens"))
    data.mkdir(parents=True)
    for split, count in (("train", 60), ("validation", 20)):
        texts, labels = map(list, zip(*make_reviews(count, seed=count), strict=True))
        pq.write_table(pa.table({"sentence": texts, "label": labels}), data / f"{split}.parquet")
    load_classifier(teacher, TASK.outputs, 0).save_pretrained(tuned)
    load_tokenizer(teacher).save_pretrained(tuned)
    write_json(tuned / "result.json", {"runs": [{"accuracy": 0.5, "standard_error": 0.1}]})
    write_predictions(tuned / PREDICTIONS, np.array(labels), {0: np.zeros((20, 2), np.float32)})
    book = folder.with_name("book.parquet")
    pq.write_table(pa.table({"sentence": make_sentences(100, seed=0)}), book)
    tokenize_book(book, tuned, 32, tokens)
    tokens.with_name("tokens.lock").unlink(missing_ok=True)
    job = CellJob(
        CELL,
        folder / "cells" / CELL.slug / "key",
        TASK,
        SHAPE,
        params.distill.model_copy(update=changes),
        params.adapt.model_copy(update={"epochs": 1, "seeds": [0], "max_length": 32}),
        CellInputs(data, tuned, tuned, None, [partial(open_tokens, tokens)]),
    )
    paths = {path: path.relative_to(folder).as_posix() for path in (data, tuned, tokens)}
    write_json(folder / CONTENTS, describe([job], paths, file_hashes(folder), cohort=8, threads=1))
    return job
