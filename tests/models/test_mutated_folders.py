"""A model folder with any mutated file loads, or is refused in one line."""

import json
import random
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy_models import CONFIGS, write_model

from textbook.errors import UserError
from textbook.models.classifier import load_classifier
from textbook.models.encoder import check_supported, inputs_for, load_config, load_tokenizer
from textbook.training.engine.checks import check_readable
from textbook.training.engine.tokens import collate, tokenize
from textbook.training.masked_lm import add_head

NAMES = ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors")
VALUES = [None, -1, 0, 1, 3, 0.5, "", "x", "[PAD]", [], ["a"], {}, {"a": 1}, True, False]
EACH = 20  # mutated folders of each family


def places(value: Any) -> list[tuple[Any, Any]]:
    """All places in a JSON value, as pairs of a container and a key."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in list(entries)[:30] for place in [(value, key), *places(inner)]]


def mutate(path: Path, rng: random.Random) -> None:
    if path.suffix == ".json" and rng.random() < 0.8:
        settings = json.loads(path.read_text())
        container, key = rng.choice(places(settings))
        if rng.random() < 0.2:
            container.pop(key)
        else:
            container[key] = rng.choice(VALUES)
        path.write_text(json.dumps(settings))
        return
    content = bytearray(path.read_bytes())
    start = rng.randrange(len(content))
    content[start : start + rng.choice([1, 1, 50, len(content)])] = rng.randbytes(rng.choice([0, 1, 50]))
    path.write_bytes(content)


def use(folder: Path) -> None:
    """Do with a folder what the stages do, up to the first step."""
    config = load_config(folder)
    check_supported(config)
    tokenizer = load_tokenizer(folder)
    tokens = tokenize(tokenizer, ["the film is great 12.", "a plot"], ["a dull film", "music"], 16)
    check_readable(config, tokens, tokenizer.pad_token_id, whose="teacher", section="teacher")
    model = load_classifier(folder, ["bad", "good"], seed=0).eval()
    with torch.no_grad():
        model(**inputs_for(model, collate(tokens, np.arange(2), tokenizer.pad_token_id)))
    add_head(folder, seed=0)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("family", CONFIGS)
def test_a_mutated_folder_is_used_or_refused_in_one_line(family: str, tmp_path: Path) -> None:
    write_model(tmp_path / "whole", family)
    load_tokenizer(tmp_path / "whole").save_pretrained(tmp_path / "whole")
    rng = random.Random(family)
    refusals: list[str] = []
    for number in range(EACH):
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path / "whole", folder)
        mutate(folder / rng.choice(NAMES), rng)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                use(folder)
            except UserError as error:
                refusals.append(str(error))
    assert 0 < len(refusals) < EACH
    assert all("\n" not in message for message in refusals)
