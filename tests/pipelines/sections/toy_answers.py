"""Validation data of a task, and what teacher and student answer, as the stages write them."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from textbook.evaluation.predictions import write_predictions
from textbook.files import write_json

TASK = "rotten_tomatoes"
MODELS = Path("data/models") / TASK


def write_answers(columns: dict[str, list[Any]], teacher: Any, student_by_seed: dict[int, Any], best_seed: int) -> None:
    """Write validation data, predictions and the best seed."""
    for folder in (Path("data/tasks") / TASK, MODELS / "teacher", MODELS / "student"):
        folder.mkdir(parents=True)
    pq.write_table(pa.table(columns), Path("data/tasks") / TASK / "validation.parquet")
    labels = np.array(columns["label"])
    write_predictions(MODELS / "teacher" / "predictions.parquet", labels, {0: np.array(teacher)})
    students = {seed: np.array(outputs) for seed, outputs in student_by_seed.items()}
    write_predictions(MODELS / "student" / "predictions.parquet", labels, students)
    write_json(MODELS / "student" / "result.json", {"best_seed": best_seed})
