"""Adaptation of a student: which seed is kept, and what is refused before the first step."""

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file

import textbook.adaptation.seed
from conftest import make_reviews
from pipelines.adaptation import adapt_distilled, adapt_from_scratch
from pipelines.paths import TASKS, teacher_folder
from textbook.errors import UserError
from textbook.files import read_json
from textbook.models.classifier import load_classifier
from textbook.models.encoder import load_config, load_tokenizer
from textbook.models.student import make_student
from textbook.params import Params, Student
from textbook.params_file import load_params

pytestmark = pytest.mark.usefixtures("one_thread")

TASK = "rotten_tomatoes"
STUDENT, TARGET = Path("distilled"), Path("made/student")
CHANGES = {
    "student.hidden": 16,
    "student.heads": 4,
    "distill.relation_heads": 4,
    "adapt.epochs": 1,
    "adapt.batch": 16,
    "adapt.lr": 3e-3,
    "adapt.max_length": 64,
    "adapt.seeds": [3, 5, 7],
}


def write_task(train: int = 40, validation: int = 20, longest: int = 0) -> None:
    """Write a task; `longest` is the number of words of one more validation text."""
    (TASKS / TASK).mkdir(parents=True, exist_ok=True)
    for split, count in (("train", train), ("validation", validation)):
        texts, labels = map(list, zip(*make_reviews(count, seed=count), strict=True))
        if longest and split == "validation":
            texts, labels = [*texts, "film " * longest], [*labels, 0]
        pq.write_table(pa.table({"sentence": texts, "label": labels}), TASKS / TASK / f"{split}.parquet")


@pytest.fixture
def make_params(tiny_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that gives the parameters of a new project with a task, a teacher and a distilled student."""
    source = Path(__file__).parents[2] / "params.yaml"
    monkeypatch.chdir(tmp_path)
    write_task()
    load_classifier(tiny_teacher, ["negative", "positive"], seed=0).save_pretrained(teacher_folder(TASK))
    load_tokenizer(tiny_teacher).save_pretrained(teacher_folder(TASK))
    shape = Student(layers=1, hidden=16, heads=4, intermediate=32)
    make_student(shape, load_config(tiny_teacher), seed=0).save_pretrained(STUDENT)

    def make(**changes: Any) -> Params:
        return load_params(source, {**CHANGES, **{f"adapt.{name}": value for name, value in changes.items()}})

    return make


@pytest.fixture
def scores(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The scores that the seeds will have, in this order."""
    scores: list[float] = []

    def score(*_: Any, **__: Any) -> dict[str, float]:
        return {"accuracy": scores.pop(0), "standard_error": 0.1}

    monkeypatch.setattr(textbook.adaptation.seed, "measure_classifier", score)
    return scores


@pytest.mark.parametrize(
    ("values", "best"), [([0.7, 0.7, 0.7], 3), ([0.6, 0.8, 0.8], 5), ([0.8, 0.6, 0.8], 3), ([0.1, 0.2, 0.3], 7)]
)
def test_the_weights_are_those_of_the_first_seed_with_the_best_score(
    make_params: Any, scores: list[float], values: list[float], best: int
) -> None:
    scores[:] = [*values, 0.5]
    adapt_distilled(make_params(), TASK, STUDENT, TARGET)
    assert read_json(TARGET / "result.json")["best_seed"] == best
    adapt_distilled(make_params(seeds=[best]), TASK, STUDENT, Path("made/alone"))
    kept, alone = (load_file(folder / "model.safetensors") for folder in (TARGET, Path("made/alone")))
    assert all(weight.equal(alone[name]) for name, weight in kept.items())


@pytest.mark.parametrize(
    "adapt", [adapt_from_scratch, lambda params, task, to: adapt_distilled(params, task, STUDENT, to)]
)
@pytest.mark.parametrize("targets", ["gold", "both"])
def test_a_student_that_is_not_finite_is_no_result(make_params: Any, adapt: Any, targets: str) -> None:
    with pytest.raises(UserError, match=r"^student, seed 3: the (loss|weights).*; try a smaller adapt.lr than 1e\+30$"):
        adapt(make_params(lr=1e30, targets=targets), TASK, TARGET)
    assert not TARGET.exists()


def test_a_validation_text_that_is_too_long_is_refused_before_the_first_step(
    make_params: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_task(longest=80)
    monkeypatch.setattr(textbook.adaptation.seed, "finetune", pytest.fail)
    with pytest.raises(UserError, match=r"has a text of 82 tokens, but the student reads at most 64: adapt.max_length"):
        adapt_distilled(make_params(max_length=100), TASK, STUDENT, TARGET)


def test_a_teacher_with_other_positions_is_refused_if_its_predictions_are_targets(make_params: Any) -> None:
    config = load_config(teacher_folder(TASK))
    config.max_position_embeddings = 8
    shutil.rmtree(teacher_folder(TASK) / "model.safetensors", ignore_errors=True)
    tokenizer = load_tokenizer(teacher_folder(TASK))
    short = make_student(Student(layers=1, hidden=16, heads=4, intermediate=32), config, seed=0)
    short.save_pretrained("short")
    load_classifier(Path("short"), ["negative", "positive"], seed=0).save_pretrained(teacher_folder(TASK))
    tokenizer.save_pretrained(teacher_folder(TASK))
    adapt_distilled(make_params(seeds=[0]), TASK, STUDENT, Path("made/gold"))
    with pytest.raises(UserError, match=r"tokens, but the teacher reads at most 8: adapt.max_length must"):
        adapt_distilled(make_params(targets="teacher"), TASK, STUDENT, TARGET)
