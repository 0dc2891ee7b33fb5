"""What tests of several rooms share: tiny models and texts, made here."""

import os

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import random
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizerFast

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
