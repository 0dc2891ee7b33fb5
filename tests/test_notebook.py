"""The notebook in `docs/` runs from top to bottom, on small data that lie where the quickstart leaves them."""

import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from transformers import BertConfig, BertModel

from conftest import make_reviews, make_sentences
from textbook import adapt
from textbook.models.encoder import load_tokenizer
from textbook.training.engine.log import read_history

pytestmark = pytest.mark.usefixtures("one_thread")

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"


def write_data(folder: Path, tiny_teacher: Path) -> None:
    """Write a task, a corpus, and a fine-tuned teacher whose hidden size suits the default relation heads."""
    (folder / "corpus").mkdir(parents=True)
    (folder / "tasks" / "rotten_tomatoes").mkdir(parents=True)
    pq.write_table(pa.table({"sentence": make_sentences(500, seed=2)}), folder / "corpus" / "00000.parquet")
    splits = {}
    for split, count in (("train", 300), ("validation", 60)):
        texts, labels = map(list, zip(*make_reviews(count, seed=count), strict=True))
        splits[split] = texts, labels
        table = pa.table({"sentence": texts, "label": labels})
        pq.write_table(table, folder / "tasks" / "rotten_tomatoes" / f"{split}.parquet")
    tokenizer = load_tokenizer(tiny_teacher)
    torch.manual_seed(0)
    shape = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=len(tokenizer), initializer_range=0.3, **shape)).save_pretrained(folder / "big")
    tokenizer.save_pretrained(folder / "big")
    settings: dict[str, Any] = {"validation": splits["validation"], "seeds": [0], "epochs": 1}
    adapt(folder / "big", *splits["train"], folder / "models" / "rotten_tomatoes" / "teacher", **settings)


def test_the_notebook_runs_and_makes_a_student(
    tiny_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_data(tmp_path / "data", tiny_teacher)
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path / "docs")
    plt.switch_backend("agg")
    names: dict[str, Any] = {}
    cells = [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(cells):
        exec(compile("".join(cell["source"]), f"cell {number} of {NOTEBOOK.name}", "exec"), names)
    assert len(plt.get_fignums()) == 2
    plt.close("all")
    losses = [line["loss"] for line in read_history(names["distilled"] / "history.jsonl")]
    assert losses[-1] < losses[0]
    answer = names["classify"]("a very great film")[0]
    assert answer["label"] in ("negative", "positive")
