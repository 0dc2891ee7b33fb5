"""What tests of several rooms share: tiny models and texts, made here."""

import os

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertModel,
    BertTokenizerFast,
    PreTrainedModel,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaTokenizerFast,
)

COMMON = [
    "the",
    "a",
    "film",
    "plot",
    "actor",
    "scene",
    "is",
    "was",
    "very",
    "not",
    "and",
    "of",
    "with",
    "story",
    "music",
]
GOOD, BAD = ["great", "warm", "bright"], ["dull", "slow", "poor"]
WORDS = COMMON + GOOD + BAD


def make_sentences(count: int, seed: int) -> list[str]:
    """Random sentences of 5 to 15 words, each with a number that makes it distinct."""
    chance = random.Random(seed)
    return [" ".join(chance.choices(WORDS, k=chance.randint(5, 15))) + f" {number}." for number in range(count)]


def make_reviews(count: int, seed: int) -> list[tuple[str, int]]:
    """Random sentences with a good or a bad word, and the label that it decides."""
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        label = chance.randint(0, 1)
        tokens = chance.choices(COMMON, k=chance.randint(4, 10))
        tokens.insert(chance.randrange(len(tokens)), chance.choice(GOOD if label else BAD))
        rows.append((" ".join(tokens) + f" {number}", label))
    return rows


@pytest.fixture(scope="session")
def tiny_teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hugging Face folder with an untrained BERT (2 layers x 32, 4 heads) and a tokenizer for the words above."""
    folder = tmp_path_factory.mktemp("teacher")
    digits = [str(digit) for digit in range(10)]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", *WORDS, *digits, *(f"##{digit}" for digit in digits)]
    (folder / "vocab.txt").write_text("\n".join(pieces))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.3,  # an untrained teacher whose relations are not all alike
    )
    BertModel(config).save_pretrained(folder)
    return folder


MEALS = {
    "animal": ["cat", "dog", "horse", "bird", "cow"],
    "verb": ["likes", "wants", "sees", "finds", "takes"],
    "taste": ["fresh", "warm", "sweet", "plain", "sour"],
    "food": ["bread", "meat", "fish", "fruit", "cake"],
}
ENDINGS = ["ish", "y", "let"]  # of made-up words such as "catish", which no tokenizer has as one piece


def make_meals(count: int, seed: int) -> list[str]:
    """Random sentences on what an animal eats, in which the words of a kind can replace each other."""
    chance = random.Random(seed)
    frames = ("the {animal} {verb} {taste} {food}.", "the {animal} {verb} ({taste}) {food} very much.")
    return [
        chance.choice(frames).format(**{kind: chance.choice(words) for kind, words in MEALS.items()})
        for _ in range(count)
    ]


def train_masked_lm(folder: Path, family: str) -> None:
    """Write a tiny masked language model that knows which words of `MEALS` fit where; `bert` or `roberta`."""
    kinds = [word for words in MEALS.values() for word in words]
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    torch.manual_seed(0)
    if family == "bert":
        pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "(", ")", "the", "very", "much", *kinds]
        (folder / "vocab.txt").write_text("\n".join([*pieces, *(f"##{ending}" for ending in ENDINGS)]))
        BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
        config = BertConfig(vocab_size=len(pieces) + len(ENDINGS), max_position_embeddings=64, **shape)
        model: PreTrainedModel = BertForMaskedLM(config)
    else:
        trained = ByteLevelBPETokenizer()
        special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
        texts = [*make_meals(2_000, seed=1), *ENDINGS * 100]
        trained.train_from_iterator(texts, vocab_size=500, special_tokens=special, show_progress=False)
        trained.save_model(str(folder))
        names = {name: str(folder / file) for name, file in (("vocab", "vocab.json"), ("merges", "merges.txt"))}
        RobertaTokenizerFast(**names).save_pretrained(folder)
        config = RobertaConfig(
            vocab_size=trained.get_vocab_size(), max_position_embeddings=66, type_vocab_size=1, **shape
        )
        model = RobertaForMaskedLM(config)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for step in range(120):
        # The second segment is another sentence, so that the model learns what fits and not to copy.
        first, second = ([f" {text}" for text in make_meals(32, seed)] for seed in (2 * step, 2 * step + 1))
        batch = tokenizer(first, second, padding=True, return_tensors="pt")
        ids = batch["input_ids"]
        chosen = (torch.rand(ids.shape) < 0.2) & (ids >= len(tokenizer.all_special_ids))
        labels = ids.masked_fill(~chosen, -100)
        model(**{**batch, "input_ids": ids.masked_fill(chosen, tokenizer.mask_token_id)}, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)


@pytest.fixture(scope="session", params=["bert", "roberta"])
def masked_lm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hugging Face folder with a tiny masked language model, once with WordPiece and once with byte-level BPE."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so small a model only waits for a second one
    train_masked_lm(folder, request.param)
    torch.set_num_threads(threads)
    return folder


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, tiny_teacher: Path) -> object:
    """The project at toy size, for all tests that run it whole."""
    from toy_project import make_project

    return make_project(tmp_path_factory.mktemp("project"), tiny_teacher)


@pytest.fixture(scope="module")
def local_ray(request: pytest.FixtureRequest) -> Iterator[None]:
    """Ray on this machine, whose workers find the test's module and this one."""
    import ray

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        folders = [str(request.path.parent), str(Path(__file__).parent)]
        patch.setenv("PYTHONPATH", os.pathsep.join(folders), prepend=os.pathsep)
        ray.init("local", num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        yield
        ray.shutdown()


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with MLflow's tables, which take seconds to make."""
    from mlflow import MlflowClient  # slow to import, and most tests do without

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments(max_results=1)
    return path


@pytest.fixture
def client(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of an empty MLflow store in the test's folder, which becomes the working folder."""
    from tracking.store import connect

    shutil.copy(empty_store, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return connect()


@pytest.fixture
def experiment(client: Any) -> str:
    """The id of an experiment of that store."""
    from tracking.store import experiment_id

    return experiment_id(client, "cells")
