"""Fixtures that several test folders share: tiny models, generated texts, and MLflow stores."""

import os

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRITON_INTERPRET", "1")  # Triton reads it when it is first imported, and kernels run on the CPU

import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import settings
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

sys.dont_write_bytecode = True  # where a test limits the size of files, Python would keep a file that is cut off

# Hypothesis fails an example that takes more than 200 ms, which on a busy machine says nothing about the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

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
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(5, 15))) + f" {number}." for number in range(count)]


def make_reviews(count: int, seed: int) -> list[tuple[str, int]]:
    """Random sentences, each with one good or bad word, and their labels: 1 for good, 0 for bad."""
    rng = random.Random(seed)
    rows = []
    for number in range(count):
        label = rng.randint(0, 1)
        tokens = rng.choices(COMMON, k=rng.randint(4, 10))
        tokens.insert(rng.randrange(len(tokens)), rng.choice(GOOD if label else BAD))
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
        initializer_range=0.3,  # large enough that the relations of the untrained teacher differ
    )
    BertModel(config).save_pretrained(folder)
    return folder


MEALS = {
    "animal": ["cat", "dog", "horse", "bird", "cow"],
    "verb": ["likes", "wants", "sees", "finds", "takes"],
    "taste": ["fresh", "warm", "sweet", "plain", "sour"],
    "food": ["bread", "meat", "fish", "fruit", "cake"],
}
ENDINGS = ["ish", "y", "let"]  # for invented words such as "catish", which no tokenizer has as one piece


def make_meals(count: int, seed: int) -> list[str]:
    """Random sentences about animals and food. Words of the same kind in `MEALS` are interchangeable."""
    rng = random.Random(seed)
    frames = ("the {animal} {verb} {taste} {food}.", "the {animal} {verb} ({taste}) {food} very much.")
    return [
        rng.choice(frames).format(**{kind: rng.choice(words) for kind, words in MEALS.items()}) for _ in range(count)
    ]


def train_masked_lm(folder: Path, family: str) -> None:
    """Write a tiny masked language model that has learned where the words of `MEALS` fit.

    Args:
        family: `bert` or `roberta`.
    """
    meal_words = [word for words in MEALS.values() for word in words]
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    torch.manual_seed(0)
    if family == "bert":
        pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "(", ")", "the", "very", "much", *meal_words]
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
        # The second segment is another sentence, so that the model learns which words fit instead of copying.
        first, second = ([f" {text}" for text in make_meals(32, seed)] for seed in (2 * step, 2 * step + 1))
        batch = tokenizer(first, second, padding=True, return_tensors="pt")
        ids = batch["input_ids"]
        masked = (torch.rand(ids.shape) < 0.2) & (ids >= len(tokenizer.all_special_ids))
        labels = ids.masked_fill(~masked, -100)
        model(**{**batch, "input_ids": ids.masked_fill(masked, tokenizer.mask_token_id)}, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """One thread for PyTorch. More would slow down tiny models, many times so beside another job."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session", params=["bert", "roberta"])
def masked_lm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hugging Face folder with a tiny masked language model, once with WordPiece and once with byte-level BPE."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the model is so small that more threads would be slower
    train_masked_lm(folder, request.param)
    torch.set_num_threads(threads)
    return folder


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, tiny_teacher: Path) -> object:
    """A copy of the project at toy size, for the end-to-end tests."""
    from toy_project import make_project

    return make_project(tmp_path_factory.mktemp("project"), tiny_teacher)


@pytest.fixture(scope="module")
def local_ray(request: pytest.FixtureRequest) -> Iterator[None]:
    """Ray on this machine. Its workers can import the test's module and this one."""
    from textbook.ray_start import start_ray

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"):
            patch.setenv(name, "restored after the tests")
        folders = [str(request.path.parent), str(Path(__file__).parent)]
        patch.setenv("PYTHONPATH", os.pathsep.join(folders), prepend=os.pathsep)
        with pytest.MonkeyPatch.context() as four_cores:
            four_cores.setattr(os, "sched_getaffinity", lambda _process: set(range(4)))
            start_ray()
        import ray

        yield
        ray.shutdown()


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with MLflow's tables, which take seconds to create."""
    from mlflow import MlflowClient  # slow to import, and most tests don't need it

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments(max_results=1)
    return path


@pytest.fixture
def client(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of an empty MLflow store in the test's folder, which becomes the working directory."""
    from tracking.store import connect

    shutil.copy(empty_store, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return connect()


@pytest.fixture
def experiment(client: Any) -> str:
    """The id of an experiment in the store of `client`."""
    from tracking.store import experiment_id

    return experiment_id(client, "cells")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the end-to-end tests as slow."""
    for item in items:
        if item.path.parent.name == "end_to_end":
            item.add_marker(pytest.mark.slow)
