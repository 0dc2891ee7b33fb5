"""Running a cell: its results, resuming it, and removing stale folders."""

import fcntl
import shutil
from collections import defaultdict
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from conftest import make_reviews, make_sentences
from pipelines.paths import CELLS, INIT, TASKS, TEXTBOOKS, teacher_folder
from pipelines.sweep.cohort import run_cells
from textbook.adaptation.adapt import adapt_encoder
from textbook.cells.cell import Cell
from textbook.cells.cohort import Hooks
from textbook.cells.losses import LOSSES, mean_relation_losses
from textbook.errors import UserError
from textbook.evaluation.predictions import read_predictions, splits_to_predict, write_predictions
from textbook.files import hash_folder, read_json, write_json
from textbook.models.classifier import load_classifier
from textbook.models.encoder import load_config, load_encoder, load_tokenizer
from textbook.models.student import make_student
from textbook.params import Student
from textbook.params_file import load_params
from textbook.tasks.splits import TEST
from textbook.training.distillation import cohort, lessons
from textbook.training.engine.log import read_history

ROOT = Path(__file__).parents[3]
TASK = "rotten_tomatoes"
CELL = Cell(TASK, "random", "task", "contextualized", 0, 50.0)
PLACE = CELLS / CELL.slug
CHANGES = {
    "student.hidden": 16,
    "student.heads": 4,
    "distill.relation_heads": 4,
    "distill.steps": 20,
    "distill.batch": 16,
    "distill.max_length": 32,
    "distill.snapshots": [10, 20],
    "adapt.epochs": 1,
    "adapt.seeds": [0, 1],
}


@pytest.fixture
def params(tiny_teacher, tmp_path, monkeypatch):
    """Parameters, and a project with the inputs of the cell."""
    changed = load_params(ROOT / "params.yaml", CHANGES)
    monkeypatch.chdir(tmp_path)
    (TASKS / TASK).mkdir(parents=True)
    labels = {}
    for split, count in (("train", 60), ("validation", 30), (TEST, 20)):
        texts, labels[split] = zip(*make_reviews(count, seed=count), strict=True)
        pq.write_table(pa.table({"sentence": texts, "label": labels[split]}), TASKS / TASK / f"{split}.parquet")
    load_classifier(tiny_teacher, changed.task(TASK).outputs, 0).save_pretrained(teacher_folder(TASK))
    load_tokenizer(tiny_teacher).save_pretrained(teacher_folder(TASK))
    write_json(teacher_folder(TASK) / "result.json", {"runs": [{"accuracy": 0.9, "standard_error": 0.01}]})
    for name, split in splits_to_predict(TASKS / TASK).items():  # all but 3 of the teacher's answers are right
        right = np.array(labels[split])
        answers = np.where(np.arange(len(right)) < 3, 1 - right, right)
        write_predictions(teacher_folder(TASK) / name, right, {0: np.eye(2, dtype=np.float32)[answers]})
    make_student(changed.student, load_config(tiny_teacher), seed=0).save_pretrained(INIT / "random")
    (TEXTBOOKS / TASK).mkdir(parents=True)
    pq.write_table(pa.table({"sentence": make_sentences(100, seed=0)}), TEXTBOOKS / TASK / "contextualized.parquet")
    return changed


def make(params, folder, check=lambda: None):
    """Run the cell alone, and return its figures and the logged steps of the distillation."""
    steps = []
    hooks = Hooks(lambda _cell, _folder: check(), lambda _cell, step, _: steps.append(step), lambda *_: nullcontext())
    ((_, outcome),) = run_cells(params, {CELL: folder}, hooks)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome, steps


def test_a_cell_has_figures_models_and_snapshots_and_runs_once(params):
    folder = PLACE / "key"
    figures, steps = make(params, folder)
    assert steps == [10, 20]
    assert figures == read_json(folder / "result.json")
    assert (figures["task"], figures["textbook"], figures["top_percent"]) == (TASK, "contextualized", 50.0)
    assert (figures["metric"], figures["teacher_score"], figures["seeds"]) == ("accuracy", 90.0, 2)
    assert figures["scores"]["accuracy"] == figures["mean"]
    assert figures["lead"] == pytest.approx(figures["mean"] - 90, abs=0.01)
    assert figures["lead_low"] < figures["lead"] < figures["lead_high"]
    assert 0 < figures["lead_p"] < 1
    right, outputs = read_predictions(folder / "student" / "test-predictions.parquet")
    accuracies = [100 * (logits.argmax(1) == right).mean() for logits in outputs.values()]
    assert figures["test_score"] == pytest.approx(np.mean(accuracies), abs=0.01)
    assert figures["test_std"] == pytest.approx(np.std(accuracies, ddof=1), abs=0.01)
    assert figures["teacher_test_score"] == 85.0
    assert min(figures["task_relation_loss"], figures["validation_relation_loss"], figures["seconds"]) > 0
    assert (folder / "student" / "model.safetensors").is_file()
    run = read_json(folder / "distilled" / "run.json")
    assert run["cell"] == "key"
    assert 0 < run["seconds"] < figures["seconds"]
    assert {"work", LOSSES}.isdisjoint(path.name for path in folder.iterdir())
    before = hash_folder(folder)
    assert make(params, folder) == (figures, [])
    assert hash_folder(folder) == before


def test_the_last_snapshot_is_the_student_itself_and_is_not_adapted_again(params, monkeypatch):
    adapted = []

    def counted(teacher, data, task, settings, encoder_of, target):
        adapted.append((encoder_of(0, Path()).name, target.name))
        adapt_encoder(teacher, data, task, settings, encoder_of, target)

    monkeypatch.setattr("textbook.cells.finish.adapt_encoder", counted)
    figures, _ = make(params, PLACE / "key")
    assert adapted == [("distilled", "student"), ("00000010", "adapted")]
    first, last = read_history(PLACE / "key" / "snapshots.jsonl")
    assert (first["step"], last["step"]) == (10, 20)
    assert (last["score"], last["task_relation_loss"]) == (figures["mean"], figures["task_relation_loss"])
    assert first["task_relation_loss"] != last["task_relation_loss"]
    distilled = PLACE / "key" / "distilled"
    one, other = (folder / "model.safetensors" for folder in (distilled, distilled / "snapshots" / "00000020"))
    assert one.read_bytes() == other.read_bytes()


def test_an_interrupted_cell_resumes_after_its_last_finished_step(params):
    folder = PLACE / "key"
    teacher_result = teacher_folder(TASK) / "result.json"
    teacher_result.rename("moved.json")
    with pytest.raises(FileNotFoundError):
        make(params, folder)
    assert not (folder / "result.json").exists()
    before = hash_folder(folder / "student")
    Path("moved.json").rename(teacher_result)
    figures, steps = make(params, folder)
    assert steps == [], "it was distilled again"
    assert hash_folder(folder / "student") == before
    assert figures["teacher_score"] == 90.0


def test_a_cell_removes_unfinished_work_at_its_place_that_has_other_inputs(params):
    for name in ("unfinished", "finished", "running", "stopped"):
        (PLACE / name / "work").mkdir(parents=True)
    write_json(PLACE / "finished" / "result.json", {})
    write_json(PLACE / "stopped" / "stopped.json", {"step": 10, "loss": 1.0, "asha": None})
    elsewhere = CELLS / Cell(TASK, "general", "task", "contextualized", 0, 50.0).slug / "unfinished"
    elsewhere.mkdir(parents=True)
    shutil.rmtree(teacher_folder(TASK))  # so that the cell fails early
    with (PLACE / "running" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises((FileNotFoundError, UserError)):
            make(params, PLACE / "key")
    assert sorted(path.name for path in PLACE.iterdir()) == ["finished", "key", "running", "stopped"]
    assert (PLACE / "running" / "work").is_dir()
    assert elsewhere.is_dir()


@pytest.mark.parametrize(("good", "kept"), [(0, True), (1, False), (2, False), (3, False), (4, False)])
def test_a_cell_whose_inputs_change_fails_and_keeps_no_work_on_them(params, good, kept):
    """The check holds a number of times: first, and after distillation, relation losses, adaptation and the rest."""
    folder = PLACE / "key"
    (folder / "earlier").mkdir(parents=True)
    checks = iter(range(5))

    def check():
        if next(checks) == good:
            raise UserError("its input changed")

    with pytest.raises(UserError, match="its input changed"):
        make(params, folder, check)
    assert {path.name for path in folder.iterdir()} == {".lock"} | ({"earlier"} if kept else set())
    assert make(params, folder)[1] == [10, 20]


def test_cells_of_a_cohort_are_the_cells_that_they_would_be_alone(params, monkeypatch):
    """With another seed and another shape of the student; one that fails does not stop the others."""
    shape = {"tiny": Student(layers=1, hidden=8, heads=2, intermediate=16)}
    params = params.model_copy(update={"sweep": params.sweep.model_copy(update={"students": shape})})
    cells = [CELL, replace(CELL, seed=1), replace(CELL, student="tiny"), replace(CELL, seed=2)]
    logged, shown, measured = defaultdict(list), [], []

    def counted(pairs, *others):
        measured.append(len(pairs))
        return mean_relation_losses(pairs, *others)

    @contextmanager
    def show(cell, history):
        yield
        shown.append((cell, len(read_history(history))))

    def check(cell, folder):
        if cell == cells[3] and (folder / "distilled").is_dir():
            raise UserError("its input changed")

    def run(name, *together):
        hooks = Hooks(check, lambda cell, step, _: logged[cell].append(step), show)
        return dict(run_cells(params, {cell: CELLS / cell.slug / name for cell in together}, hooks))

    monkeypatch.setattr("textbook.cells.losses.mean_relation_losses", counted)
    outcomes = run("together", *cells)
    assert list(outcomes) == cells
    assert measured[:2] == [3, 3]  # on training and on validation texts, before any snapshot is measured
    assert str(outcomes[cells[3]]) == "its input changed"
    assert not (CELLS / cells[3].slug / "together" / "distilled").exists()
    assert logged == {cell: [10, 20] for cell in cells}
    assert sorted(shown, key=lambda pair: cells.index(pair[0])) == [(cell, 2) for cell in cells]
    for cell in cells[:3]:
        alone = run("alone", cell)[cell]
        assert {**alone, "seconds": 0} == {**outcomes[cell], "seconds": 0}
        assert load_config(CELLS / cell.slug / "together" / "student").hidden_size == (8 if cell.student else 16)
        for part in ("distilled", "student"):
            one, other = (CELLS / cell.slug / name / part / "model.safetensors" for name in ("alone", "together"))
            assert one.read_bytes() == other.read_bytes()


@pytest.fixture
def two_books(params, monkeypatch):
    """Parameters with an augmented textbook, and the textbook and the steps of each distillation that is run."""
    pq.write_table(pa.table({"sentence": make_sentences(40, seed=1)}), TEXTBOOKS / TASK / "augmented.parquet")
    distilled, distil_on = [], lessons.distil_on

    def counted(tokens, teacher, given):
        distilled.append((len(tokens), [lesson.settings.steps for lesson in given]))
        return distil_on(tokens, teacher, given)

    monkeypatch.setattr(lessons, "distil_on", counted)
    return params, distilled


def run_all(params, cells, name, steps=None):
    """Run cells together in folders of this name."""
    log = defaultdict(list) if steps is None else steps
    hooks = Hooks(lambda *_: None, lambda cell, step, _: log[cell].append(step), lambda *_: nullcontext())
    firsts = {cell: CELLS / cell.first.slug / name for cell in cells if cell.first != cell}
    return dict(run_cells(params, {cell: CELLS / cell.slug / name for cell in cells}, hooks, firsts))


def test_a_cell_with_two_textbooks_goes_on_from_the_cell_with_the_first_and_is_the_same(two_books):
    """The one with the first textbook is in the same cohort, or is done."""
    params, distilled = two_books
    second = [replace(CELL, textbook="contextualized+augmented", seed=seed) for seed in (0, 1)]
    alone = run_all(params, second, "alone")
    assert distilled == [(50, [20, 20]), (40, [3, 3])]
    distilled.clear()
    steps = defaultdict(list)
    together = run_all(params, [second[0], CELL], "key", steps)
    assert distilled == [(50, [20]), (40, [3])]
    assert steps == {CELL: [10, 20], second[0]: [23]}
    run_all(params, [replace(CELL, seed=1)], "key")
    distilled.clear()
    together |= run_all(params, second, "key")
    assert distilled == [(40, [3])]
    for cell in second:
        assert {**together[cell], "seconds": 0} == {**alone[cell], "seconds": 0}
        assert read_json(CELLS / cell.first.slug / "key/distilled/run.json")["seconds"] < together[cell]["seconds"]
        one, other = (CELLS / cell.slug / name for name in ("alone", "key"))
        assert [line["step"] for line in read_history(other / "distilled" / "history.jsonl")] == [10, 20, 23]
        for part in ("distilled", "distilled/snapshots/00000010", "student"):
            assert (one / part / "model.safetensors").read_bytes() == (other / part / "model.safetensors").read_bytes()


def test_a_cell_with_two_textbooks_that_was_killed_goes_on_in_the_second(two_books, monkeypatch):
    params, distilled = two_books
    second = replace(CELL, textbook="contextualized+augmented")

    def killed(*_):
        raise OSError("killed")

    run_all(params, [CELL], "key")
    whole = run_all(params, [second], "key")[second]
    work = CELLS / second.slug / "key"
    before = (work / "distilled" / "model.safetensors").read_bytes()
    shutil.rmtree(work)
    with monkeypatch.context() as patch:
        patch.setattr(lessons, "_write", killed)
        with pytest.raises(OSError, match="killed"):
            run_all(params, [second], "key")
    assert (work / "work" / "checkpoints-2" / "00000003.safetensors").is_file()
    distilled.clear()
    steps = defaultdict(list)
    figures = run_all(params, [second], "key", steps)[second]
    assert (distilled, steps) == ([(40, [3])], {}), "it was distilled again"
    assert {**figures, "seconds": 0} == {**whole, "seconds": 0}
    assert (work / "distilled" / "model.safetensors").read_bytes() == before


def test_a_cell_does_not_go_on_from_one_that_is_not_done(two_books):
    """The process that works on it may remove it."""
    params, distilled = two_books
    second = replace(CELL, textbook="contextualized+augmented")
    run_all(params, [CELL], "key")
    result = CELLS / CELL.slug / "key" / "result.json"
    result.rename(result.with_name("hidden.json"))
    distilled.clear()
    run_all(params, [second], "key")
    assert distilled == [(50, [20]), (40, [3])]


def test_a_student_that_fails_leaves_its_cohort_and_its_live_run_fails(params, monkeypatch):
    cells, ended = [CELL, replace(CELL, seed=1)], {}

    @contextmanager
    def show(cell, _history):
        ended[cell] = "failed"
        yield
        ended[cell] = "done"

    def spoil(job, _begin):
        student = load_encoder(job.inputs.init)
        if job.cell.seed:
            next(student.parameters()).data[:] = float("nan")
        return student

    monkeypatch.setattr("textbook.cells.cohort._first_weights", spoil)
    hooks = Hooks(lambda *_: None, lambda *_: None, show)
    outcomes = dict(run_cells(params, {cell: CELLS / cell.slug / "key" for cell in cells}, hooks))
    assert outcomes[cells[0]]["mean"] > 0
    assert str(outcomes[cells[1]]).startswith("distill: the loss of step 1 is nan; try a smaller distill.lr")
    assert ended == {cells[0]: "done", cells[1]: "failed"}


@pytest.mark.parametrize("fitting", [1, 0])
def test_a_cohort_that_does_not_fit_into_the_memory_of_the_gpu_is_halved(params, monkeypatch, capsys, fitting):
    cells = [CELL, replace(CELL, seed=1), replace(CELL, seed=2)]
    alone = run_all(params, [CELL], "alone")[CELL]
    step_function, tried = cohort._step_function, []

    def out_of_memory(_batch):
        raise torch.OutOfMemoryError("CUDA out of memory")

    def limited(replica, device, teacher, learning, graphs):
        tried.append(len(learning))
        return out_of_memory if len(learning) > fitting else step_function(replica, device, teacher, learning, graphs)

    monkeypatch.setattr(cohort, "_step_function", limited)
    if fitting:
        made = run_all(params, cells, "key")
        assert {**made[CELL], "seconds": 0} == {**alone, "seconds": 0}
        assert all(made[cell]["mean"] > 0 for cell in cells)
        assert tried == [3, 1, 2, 1, 1]
        assert "3 students do not fit into the memory of the GPU together" in capsys.readouterr().out
    else:
        with pytest.raises(UserError, match=r"^distill: out of memory on .*; try a smaller distill\.batch"):
            run_all(params, cells, "key")
        assert tried == [3, 1]
