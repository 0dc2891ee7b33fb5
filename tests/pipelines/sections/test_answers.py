"""The answers of teacher and student, read from the outputs of the stages."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from toy_answers import TASK, write_answers

from pipelines.sections.answers import answers
from textbook.errors import UserError
from textbook.params import Params
from textbook.params_file import load_params


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    shipped = load_params(Path(__file__).parents[3] / "params.yaml")
    monkeypatch.chdir(tmp_path)
    return shipped


NO, YES = [2.0, 0.0], [0.0, 2.0]


def test_classes_are_those_of_the_task_and_the_student_is_that_of_the_best_seed(params: Params) -> None:
    columns = {"sentence": ["bad", "good"], "label": [0, 1]}
    write_answers(columns, [NO, YES], {0: [YES, NO], 7: [NO, NO]}, best_seed=7)
    matrices, (mistake,) = answers(params, TASK)
    assert matrices["student"].names == ["negative", "positive"]
    assert matrices["student"].counts.tolist() == [[1, 0], [1, 0]]
    assert matrices["teacher"].counts.tolist() == [[1, 0], [0, 1]]
    # exp(2) / (exp(2) + 1) = 0.881
    assert mistake == ("good", "positive", "positive (88.1 %)", "negative (88.1 %)")


def test_a_scale_has_errors_and_no_matrix_and_pairs_are_shown_together(params: Params) -> None:
    settings = params.tasks[TASK].model_copy(update={"labels": None, "scale": [0.0, 5.0], "text": ["a", "b"]})
    scaled = params.model_copy(update={"tasks": {TASK: settings}})
    columns = {"sentence1": ["one"], "sentence2": ["two"], "label": [4.5]}
    write_answers(columns, [[4.2]], {0: [[1.0]]}, best_seed=0)
    assert answers(scaled, TASK) == ({}, [("one | two", "4.5", "4.20", "1.00")])


def test_predictions_for_other_data_are_refused(params: Params) -> None:
    write_answers({"sentence": ["bad", "good"], "label": [0, 1]}, [NO, YES], {0: [NO, YES]}, best_seed=0)
    table = pa.table({"sentence": ["bad", "good"], "label": [1, 1]})
    pq.write_table(table, Path("data/tasks") / TASK / "validation.parquet")
    with pytest.raises(UserError, match=r"predictions.parquet: has other labels than the validation data; run `dvc"):
        answers(params, TASK)
