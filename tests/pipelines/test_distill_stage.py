import json
import shutil
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import AutoModel, AutoTokenizer

from conftest import make_sentences
from pipelines.distill import teach, tokens_of
from pipelines.stage import INIT, MODELS, TEXTBOOKS
from textbook.models.encoder import load_config
from textbook.models.student import Shape, make_student
from textbook.params_file import load_params
from textbook.training.tokens import Tokens

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
    found = load_params(Path(__file__).parents[2] / "params.yaml", CHANGES)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_teacher, MODELS / "t" / "teacher")
    make_student(Shape(2, 16, 4, 32), load_config(tiny_teacher), seed=0).save_pretrained(INIT / "random")
    (TEXTBOOKS / "t").mkdir(parents=True)
    pq.write_table(pa.table({"sentence": make_sentences(100, seed=0)}), TEXTBOOKS / "t" / "contextualized.parquet")
    return found


@contextmanager
def live(note):
    note.write_text("{}")
    yield lambda _step, _figures: None


def test_the_student_and_its_snapshots_are_folders_that_transformers_reads(params):
    target = MODELS / "t" / "distilled"
    teach(params, "t", target, live)
    assert sorted(path.name for path in (target / "snapshots").iterdir()) == ["00000005", "00000012"]
    for folder in (target, *(target / "snapshots").iterdir()):
        model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
        assert model(**tokenizer("the film", return_tensors="pt")).last_hidden_state.shape == (1, 4, 16)
    steps = [json.loads(line)["step"] for line in (target / "history.jsonl").read_text().splitlines()]
    assert steps == [10, 12]


def test_of_a_textbook_its_first_part_is_used(params, monkeypatch):
    monkeypatch.setattr("pipelines.distill.teach_on", lambda tokens, *_: seen.append(tokens))
    for percent, texts in ((100.0, 100), (20.0, 20), (0.1, 1)):
        seen: list[Tokens] = []
        distill = params.distill.model_copy(update={"top_percent": percent})
        with pytest.raises(FileNotFoundError, match="history"):  # nothing was trained
            teach(params.model_copy(update={"distill": distill}), "t", MODELS / "t" / "distilled", live)
        (tokens,) = seen
        whole = tokens_of(TEXTBOOKS / "t" / "contextualized.parquet", MODELS / "t" / "teacher", 32)
        assert len(tokens) == texts
        assert tokens.offsets.tolist() == whole.offsets[: texts + 1].tolist()
