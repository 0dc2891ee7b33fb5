"""The size and time of a sweep's students."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import textbook.evaluation.cost as module
from conftest import make_reviews
from pipelines.paths import TASKS
from pipelines.sweep.costs import MEASURED, student_costs
from textbook.cells.cell import Cell
from textbook.models.classifier import load_classifier
from textbook.models.encoder import load_config, load_tokenizer
from textbook.models.student import make_student
from textbook.params import Student
from textbook.params_file import load_params

ROOT = Path(__file__).parents[3]
TASK = "rotten_tomatoes"
SHAPES = {
    "tiny": Student(layers=1, hidden=16, heads=2, intermediate=32),
    "small": Student(layers=2, hidden=32, heads=2, intermediate=64),
}


def no_measurement(*_):
    raise AssertionError("measured again")


@pytest.fixture
def params(tmp_path, monkeypatch):
    """The shipped parameters, in a folder with the task's validation data."""
    shipped = load_params(ROOT / "params.yaml", {"evaluate.latency_sentences": 4})
    monkeypatch.chdir(tmp_path)
    (TASKS / TASK).mkdir(parents=True)
    texts, labels = zip(*make_reviews(6, seed=0), strict=True)
    pq.write_table(pa.table({"sentence": texts, "label": labels}), TASKS / TASK / "validation.parquet")
    return shipped


@pytest.fixture
def folders(params, tiny_teacher):
    """Three cells with their students: two seeds of one shape, and another shape."""
    config, result = load_config(tiny_teacher), {}
    for shape, seed in (("tiny", 0), ("tiny", 1), ("small", 0)):
        cell = Cell(TASK, "random", "task", "general", seed, student=shape)
        result[cell] = Path("data/cells") / cell.slug / "key"
        make_student(SHAPES[shape], config, seed).save_pretrained(result[cell] / "encoder")
        student = load_classifier(result[cell] / "encoder", ["negative", "positive"], seed)
        student.save_pretrained(result[cell] / "student")
        load_tokenizer(tiny_teacher).save_pretrained(result[cell] / "student")
    return result


def test_each_shape_is_measured_once_and_its_figures_are_kept(params, folders, monkeypatch):
    costs = student_costs({TASK: params}, folders)
    first, other_seed, small = costs.values()
    assert list(costs) == list(folders)
    assert first == other_seed
    assert len(list(MEASURED.iterdir())) == 2
    for cell in (cell for cell in folders if cell.seed == 0):
        cost, size = costs[cell], (folders[cell] / "student" / "model.safetensors").stat().st_size
        assert cost["bytes"] == size
        assert 4 * cost["parameters"] == pytest.approx(size, rel=0.3)  # the file has a header too
        assert cost["ms_per_sentence"] > 0
    assert first["parameters"] < small["parameters"]
    monkeypatch.setattr(module, "milliseconds", no_measurement)
    assert student_costs({TASK: params}, folders) == costs
    assert student_costs({TASK: params}, {}) == {}


def test_other_texts_are_another_measurement(params, folders, monkeypatch):
    student_costs({TASK: params}, folders)
    monkeypatch.setattr(module, "milliseconds", no_measurement)
    more = params.model_copy(update={"evaluate": params.evaluate.model_copy(update={"latency_sentences": 5})})
    with pytest.raises(AssertionError, match="measured again"):
        student_costs({TASK: more}, folders)
