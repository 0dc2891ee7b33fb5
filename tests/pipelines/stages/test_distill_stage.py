"""Distillation of one student: its folders and snapshots, and the part of the textbook that is used."""

import json
import shutil
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoTokenizer

from conftest import make_sentences
from pipelines.distillation import distil_student, tokens_of
from pipelines.paths import INIT, MODELS, TEXTBOOKS
from textbook.errors import UserError
from textbook.models.encoder import load_config
from textbook.models.student import make_student
from textbook.params import Student
from textbook.params_file import load_params
from textbook.training.engine.tokens import Tokens

WORK = Path("work")
pytestmark = pytest.mark.usefixtures("one_thread")
CHANGES = {
    "student.hidden": 16,
    "student.heads": 4,
    "distill.relation_heads": 4,
    "distill.steps": 12,
    "distill.batch": 16,
    "distill.max_length": 32,
    "distill.snapshots": [5, 12],
}


@pytest.fixture
def params(tiny_teacher, tmp_path, monkeypatch):
    """Parameters, and a project with a teacher, an untrained student and a textbook."""
    changed = load_params(Path(__file__).parents[3] / "params.yaml", CHANGES)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_teacher, MODELS / "t" / "teacher")
    shape = Student(layers=2, hidden=16, heads=4, intermediate=32)
    make_student(shape, load_config(tiny_teacher), seed=0).save_pretrained(INIT / "random")
    (TEXTBOOKS / "t").mkdir(parents=True)
    pq.write_table(pa.table({"sentence": make_sentences(100, seed=0)}), TEXTBOOKS / "t" / "contextualized.parquet")
    WORK.mkdir()
    return changed


@contextmanager
def live(note):
    note.write_text("{}")
    yield lambda _step, _figures: None


def test_transformers_loads_the_student_and_its_snapshots(params):
    target = MODELS / "t" / "distilled"
    distil_student(params, "t", target, WORK, live)
    assert sorted(path.name for path in (target / "snapshots").iterdir()) == ["00000005", "00000012"]
    for folder in (target, *(target / "snapshots").iterdir()):
        model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
        assert model(**tokenizer("the film", return_tensors="pt")).last_hidden_state.shape == (1, 4, 16)
    steps = [json.loads(line)["step"] for line in (target / "history.jsonl").read_text().splitlines()]
    assert steps == [10, 12]


def test_only_the_first_percents_of_the_textbook_are_used(params, monkeypatch):
    monkeypatch.setattr(
        "textbook.training.distillation.lessons.distil_on", lambda tokens, *_: used.append(tokens) or {}
    )
    for percent, texts in ((100.0, 100), (20.0, 20), (0.1, 1)):
        used: list[Tokens] = []
        distill = params.distill.model_copy(update={"top_percent": percent})
        with pytest.raises(FileNotFoundError, match="history"):  # the patched training writes none
            distil_student(params.model_copy(update={"distill": distill}), "t", MODELS / "t" / "distilled", WORK, live)
        (tokens,) = used
        whole = tokens_of(TEXTBOOKS / "t" / "contextualized.parquet", MODELS / "t" / "teacher", 32)
        assert len(tokens) == texts
        assert tokens.offsets.tolist() == whole.offsets[: texts + 1].tolist()


def test_a_tokenizer_with_another_setting_does_not_get_the_old_tokens(params):
    book, teacher = TEXTBOOKS / "t" / "contextualized.parquet", MODELS / "t" / "teacher"
    pq.write_table(pa.table({"sentence": ["The film", "the film"]}), book)
    unknown = AutoTokenizer.from_pretrained(teacher).unk_token_id
    assert unknown not in tokens_of(book, teacher, 32).ids
    settings = json.loads((teacher / "tokenizer_config.json").read_text())
    (teacher / "tokenizer_config.json").write_text(json.dumps({**settings, "do_lower_case": False}))
    assert tokens_of(book, teacher, 32).ids.tolist().count(unknown) == 1


def test_a_teacher_with_a_vocabulary_file_only_can_be_distilled(params):
    book, teacher = TEXTBOOKS / "t" / "contextualized.parquet", MODELS / "t" / "teacher"
    expected = tokens_of(book, teacher, 32).ids.tolist()
    for path in teacher.glob("*token*"):
        path.unlink()
    assert tokens_of(book, teacher, 32).ids.tolist() == expected
    distil_student(params, "t", MODELS / "t" / "distilled", WORK, live)
    assert (MODELS / "t" / "distilled" / "model.safetensors").is_file()


@pytest.mark.parametrize("part", ["teacher", "student"])
def test_a_model_without_some_of_its_weights_is_refused(params, part):
    folder = {"teacher": MODELS / "t" / "teacher", "student": INIT / "random"}[part]
    weights = load_file(folder / "model.safetensors")
    names = {name: f"_orig_mod.{name}" for name in weights}
    save_file({names[name]: weight for name, weight in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=f"{folder}: cannot load an encoder: missing weights: .*torch.compile added"):
        distil_student(params, "t", MODELS / "t" / "distilled", WORK, live)


def test_a_last_step_that_spoils_the_student_is_noticed(params, monkeypatch):
    def distill(members, *_, **__):
        next(members[0].pair.student.parameters()).data[0] = float("nan")
        return [None]

    monkeypatch.setattr("textbook.training.distillation.lessons.distill_cohort", distill)
    with pytest.raises(UserError, match=r"^distill: the weights are not finite .*; try a smaller distill.lr .* than"):
        distil_student(params, "t", MODELS / "t" / "distilled", WORK, live)
    assert not (MODELS / "t" / "distilled").exists()
