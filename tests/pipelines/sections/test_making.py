"""What it took to make a student, beside times added by hand."""

import json
from pathlib import Path

import pytest

from pipelines.sections.making import making_table
from textbook.params_file import load_params


def write_history(path: Path, seconds: float) -> None:
    """Write a training of two steps that take `seconds` in all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [{"step": step, "time": int(1000 * seconds * step / 2)} for step in (1, 2)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def test_each_training_has_its_minutes_and_price(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = load_params(Path(__file__).parents[3] / "params.yaml")
    params = shipped.model_copy(update={"tracking": shipped.tracking.model_copy(update={"cost_per_hour": 3.0})})
    monkeypatch.chdir(tmp_path)
    models = Path("data/models/films")
    write_history(models / "teacher" / "history.jsonl", 120)
    write_history(models / "distilled" / "history.jsonl", 600)
    for seed in (0, 1):
        write_history(models / "student" / f"history-{seed}.jsonl", 30)
    assert making_table(params, "films") == [
        ("training", "minutes", "price, at 3 an hour"),
        ("fine-tune the teacher, all trials", "2.0", "0.100"),
        ("distil the student", "10.0", "0.500"),
        ("adapt the student, all seeds", "1.0", "0.050"),
        ("all", "13.0", "0.650"),
    ]
    for trial in ("a", "b"):  # the best one is in history.jsonl too
        write_history(models / "teacher" / f"history-{trial}.jsonl", 120)
    assert making_table(params, "films")[1][1] == "4.0"
