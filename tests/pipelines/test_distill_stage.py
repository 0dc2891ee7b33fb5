"""What the stage `distill@t` adds to the loop: one textbook after the other, and where it goes on after a crash."""

from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from conftest import make_sentences
from pipelines.distill import teach
from textbook.models.encoder import load_config, load_encoder, load_tokenizer
from textbook.models.student import make_student
from textbook.params import Params, Student, load_params
from textbook.training.log import read_history

ROOT = Path(__file__).parents[2]
STEPS, BATCH = 20, 8
CHANGES = {"relation_heads": 4, "steps": STEPS, "batch": BATCH, "lr": 1e-3, "max_length": 32}


@pytest.fixture
def params(tiny_teacher, tmp_path, monkeypatch) -> Params:
    """A project of its own with a teacher, an init and both textbooks."""
    monkeypatch.chdir(tmp_path)
    teacher, books = Path("data/models/films/teacher"), Path("data/textbooks/films")
    load_encoder(tiny_teacher).save_pretrained(teacher)
    load_tokenizer(tiny_teacher).save_pretrained(teacher)
    shape = Student(layers=1, hidden=16, heads=4, intermediate=32)
    make_student(shape, load_config(teacher), seed=0).save_pretrained("data/init/random")
    books.mkdir(parents=True)
    for seed, kind in enumerate(("contextualized", "augmented")):
        pq.write_table(pa.table({"sentence": make_sentences(80, seed)}), books / f"{kind}.parquet")
    found = load_params(ROOT / "params.yaml")
    distill = found.distill.model_copy(update=CHANGES)
    second = distill.second.model_copy(update={"epochs": 1.5, "lr": 5e-4})
    return found.model_copy(update={"distill": distill.model_copy(update={"second": second})})


def with_textbook(params: Params, kind: str) -> Params:
    return params.model_copy(update={"distill": params.distill.model_copy(update={"textbook": kind})})


class Crash(Exception):
    pass


def watch(crash_at=None):
    """What opens a log that crashes at a step."""

    @contextmanager
    def live(_params, _task, run_file):
        run_file.write_text("{}")

        def log(step, _figures):
            if step == crash_at:
                raise Crash

        yield log

    return live


def test_the_second_stage_follows_on_the_first_with_its_own_settings(params):
    teach(with_textbook(params, "contextualized+augmented"), "films", Path("out"), watch())
    history = read_history(Path("out/history.jsonl"))
    second = 80 * 3 // 2 // BATCH
    assert history[-1]["step"] == STEPS + second
    rates = {line["step"]: line["lr"] for line in history}
    assert max(rate for step, rate in rates.items() if step <= STEPS) > 5e-4
    assert max(rate for step, rate in rates.items() if step > STEPS) <= 5e-4
    teach(with_textbook(params, "contextualized"), "films", Path("first"), watch())
    first, both = (load_file(Path(name, "model.safetensors")) for name in ("first", "out"))
    assert any(not torch.equal(first[name], both[name]) for name in first)


@pytest.mark.parametrize("crash_at", [10, STEPS + 10])
def test_after_a_crash_it_goes_on_in_the_stage_where_it_was(params, crash_at, monkeypatch):
    monkeypatch.setattr("textbook.training.distill.CHECKPOINT_SECONDS", 0)
    both = with_textbook(params, "contextualized+augmented")
    teach(both, "films", Path("straight"), watch())
    with pytest.raises(Crash):
        teach(both, "films", Path("out"), watch(crash_at))
    assert not Path("out").exists()
    (work,) = Path(".cache/distill").iterdir()
    assert (work / "checkpoints-2").is_dir() == (crash_at > STEPS)
    teach(both, "films", Path("out"), watch())
    straight, resumed = (load_file(Path(name, "model.safetensors")) for name in ("straight", "out"))
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)
    assert list(Path(".cache/distill").iterdir()) == []
