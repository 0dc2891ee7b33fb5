"""The stage `evaluate` refuses inputs that one of the models cannot read, before it measures anything."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pipelines.stages.evaluate
from pipelines.paths import MODELS, TASKS
from pipelines.stages.evaluate import main as evaluate
from textbook.errors import UserError
from textbook.models.classifier import load_classifier
from textbook.models.encoder import load_tokenizer
from textbook.params_file import load_params

TASK = "rotten_tomatoes"
SHIPPED = Path(__file__).parents[3] / "params.yaml"


@pytest.fixture
def project(tiny_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project with four classifiers of the same shape, which reads at most 64 tokens; none of them may run."""
    monkeypatch.chdir(tmp_path)
    for name in ("teacher", "scratch", "student", "truncated_teacher"):
        load_classifier(tiny_teacher, ["negative", "positive"], seed=0).save_pretrained(MODELS / TASK / name)
        load_tokenizer(tiny_teacher).save_pretrained(MODELS / TASK / name)
    monkeypatch.setattr(pipelines.stages.evaluate, "OnnxClassifier", lambda _folder: None)
    monkeypatch.setattr(pipelines.stages.evaluate, "on_cpu", lambda model: model)
    monkeypatch.setattr(pipelines.stages.evaluate, "milliseconds", pytest.fail)
    (TASKS / TASK).mkdir(parents=True)


@pytest.mark.parametrize(
    ("words", "changes", "message"),
    [
        (80, {"adapt.max_length": 65}, r"has a text of 65 tokens, but the teacher reads at most 64: adapt\.max_length"),
        (
            9,
            {"adapt.max_length": 65, "evaluate.lengths": [16, 65]},
            r"^evaluate\.lengths = 65: must be at most 64 for the teacher$",
        ),
    ],
)
def test_inputs_that_are_too_long_are_refused(project: None, words: int, changes: dict[str, Any], message: str) -> None:
    table = pa.table({"sentence": ["film " * words, "plot"], "label": [0, 1]})
    pq.write_table(table, TASKS / TASK / "validation.parquet")
    with pytest.raises(UserError, match=message):
        evaluate(load_params(SHIPPED, {"evaluate.lengths": [16, 64], **changes}), TASK)
