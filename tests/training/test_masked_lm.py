"""Masked-LM training: which tokens are hidden, that the model learns, and that a killed run resumes."""

from collections.abc import Mapping
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModel, BertConfig, BertModel, BertTokenizerFast, PreTrainedModel

import textbook.training.engine.checkpoints as checkpoints_module
from conftest import MEALS, make_meals
from textbook.errors import UserError
from textbook.models.encoder import load_tokenizer
from textbook.params import MaskedLmAsset
from textbook.textbooks.augmentation.candidates import double, load_masked_lm, predict_candidates
from textbook.training.engine.device import Device
from textbook.training.engine.log import Log, silent
from textbook.training.engine.tokens import tokenize
from textbook.training.masked_lm import add_head, hide, train_masked_lm

CPU = Device(torch.device("cpu"), bf16=False)
pytestmark = pytest.mark.usefixtures("one_thread")
SETTINGS = {
    "encoder": "encoder",
    "sentences": 1000,
    "steps": 40,
    "batch": 16,
    "lr": 5e-3,
    "warmup": 0.1,
    "weight_decay": 0.01,
    "max_length": 32,
    "seed": 0,
}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hugging Face folder with a tiny untrained encoder that knows the words of `MEALS`."""
    folder = tmp_path_factory.mktemp("encoder")
    kinds = [word for words in MEALS.values() for word in words]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "(", ")", "the", "very", "much", *kinds]
    (folder / "vocab.txt").write_text("\n".join(pieces))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=len(pieces), max_position_embeddings=64, **shape)).save_pretrained(folder)
    return folder


def train(
    encoder: Path, log: Log = silent, checkpoints: Path | None = None, spoil_at: int | None = None, **changes: Any
) -> PreTrainedModel:
    """Train a masked LM; the gradient of step `spoil_at` is not finite."""
    tokenizer = load_tokenizer(encoder)
    tokens = tokenize(tokenizer, make_meals(400, seed=0), make_meals(400, seed=1), 32)
    model = add_head(encoder, seed=0)
    if spoil_at is not None:
        factors = chain(repeat(1.0, spoil_at - 1), [np.nan])
        next(model.parameters()).register_hook(lambda gradient: gradient * next(factors))
    asset = MaskedLmAsset(**{**SETTINGS, **changes})
    train_masked_lm(model, tokenizer, tokens, asset, device=CPU, log=log, checkpoints=checkpoints)
    return model


def test_the_trained_model_predicts_words_that_fit(encoder: Path, tmp_path: Path) -> None:
    history: list[Mapping[str, float]] = []
    model = train(encoder, log=lambda _, figures: history.append(figures), steps=200)
    assert history[-1]["loss"] < 0.7 * history[0]["loss"]
    assert history[-1]["accuracy"] > 2 * history[0]["accuracy"]
    model.save_pretrained(tmp_path)
    load_tokenizer(encoder).save_pretrained(tmp_path)
    lm = load_masked_lm(tmp_path, torch.device("cpu"))
    sentence = "the dog finds sour meat."
    for kind, word in (("animal", "dog"), ("verb", "finds"), ("taste", "sour"), ("food", "meat")):
        start = sentence.index(word)
        (predicted,) = predict_candidates(lm, [(double(lm, [sentence])[0], (start, start + len(word)))], k=5, batch=8)
        assert set(predicted) == set(MEALS[kind])


def test_the_head_is_added_to_the_encoder_and_shares_its_embeddings(encoder: Path) -> None:
    model = add_head(encoder, seed=0)
    for name, weight in AutoModel.from_pretrained(encoder, add_pooling_layer=False).state_dict().items():
        assert torch.equal(model.base_model.state_dict()[name], weight), name
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


def test_a_missing_or_incomplete_encoder_is_refused(encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot load a masked language model"):
        add_head(tmp_path, seed=0)
    uninterrupted = AutoModel.from_pretrained(encoder)
    rest = {name: weight for name, weight in uninterrupted.state_dict().items() if "layer.1.output" not in name}
    uninterrupted.save_pretrained(tmp_path, state_dict=rest)
    with pytest.raises(UserError, match=r"missing weights: bert\.encoder\.layer\.1\.output"):
        add_head(tmp_path, seed=0)


@pytest.mark.parametrize("die_at", [10, 30])
def test_a_killed_run_resumes_to_the_same_weights(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, die_at: int
) -> None:
    monkeypatch.setattr(checkpoints_module, "CHECKPOINT_SECONDS", 0)

    class Killed(Exception):
        pass

    def die(step: int, _figures: Mapping[str, float]) -> None:
        if step == die_at:
            raise Killed

    uninterrupted = train(encoder)
    with pytest.raises(Killed):
        train(encoder, log=die, checkpoints=tmp_path)
    steps: list[int] = []
    resumed = train(encoder, log=lambda step, _: steps.append(step), checkpoints=tmp_path)
    assert min(steps) == die_at
    for name, value in uninterrupted.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_loss_that_is_not_finite_stops_the_run(encoder: Path) -> None:
    with pytest.raises(
        UserError, match=r"masked LM: the loss of the steps up to \d+ is (nan|inf); try a smaller lr than 1e"
    ):
        train(encoder, lr=1e30)


def test_a_last_step_that_spoils_the_weights_is_noticed(encoder: Path) -> None:
    with pytest.raises(UserError, match=r"masked LM: the weights are not finite \(.*\); try a smaller lr than 0.005"):
        train(encoder, spoil_at=12, steps=12)


@pytest.mark.parametrize(
    ("added", "config", "message"),
    [
        (["new"], {}, r"the encoder's tokenizer has 32 tokens, and the encoder only 31: tokens were added"),
        ([], {"max_position_embeddings": 8}, r"a text of \d+ tokens, but the masked LM reads at most 8"),
        ([], {"type_vocab_size": 1}, r"has pairs of texts, but the masked LM knows 1 segment"),
        (None, {}, r"the encoder's tokenizer has no mask token; name one"),
    ],
)
def test_what_the_encoder_cannot_read_is_refused_before_the_first_step(
    encoder: Path, added: list[str] | None, config: dict[str, int], message: str
) -> None:
    tokenizer = load_tokenizer(encoder)
    tokens = tokenize(tokenizer, make_meals(20, seed=0), make_meals(20, seed=1), 32)
    model = add_head(encoder, seed=0)
    model.config.update(config)
    model.register_forward_pre_hook(lambda *_: pytest.fail("a step was done"))
    if added is None:
        tokenizer.mask_token = None
    else:
        tokenizer.add_tokens(added)
    with pytest.raises(UserError, match=message):
        train_masked_lm(model, tokenizer, tokens, MaskedLmAsset(**SETTINGS), device=CPU)


@given(st.integers(0, 2**32), st.integers(1, 40))
@settings(max_examples=50)
def test_only_allowed_tokens_are_hidden_and_the_others_are_unchanged(seed: int, length: int) -> None:
    rng = np.random.default_rng(seed)
    ids = rng.integers(10, 100, (3, length))
    allowed = rng.random(ids.shape) < 0.5
    given_ids, hidden = hide(ids, allowed, mask_id=4, vocabulary=100, rng=rng)
    assert not (hidden & ~allowed).any()
    assert (given_ids == ids)[~hidden].all()


def test_the_shares_of_hidden_tokens_match_bert() -> None:
    ids = np.full((1000, 200), 50)
    given_ids, hidden = hide(ids, np.ones_like(ids, bool), mask_id=4, vocabulary=1000, rng=np.random.default_rng(0))
    chosen = given_ids[hidden]
    shares = {"hidden": (hidden.mean(), 0.15, ids.size)}
    shares |= {"masked": ((chosen == 4).mean(), 0.8 + 0.1 / 1000, chosen.size)}
    shares |= {"kept": ((chosen == 50).mean(), 0.1 + 0.1 / 1000, chosen.size)}
    for name, (share, expected, count) in shares.items():
        assert abs(share - expected) < 4 * (expected * (1 - expected) / count) ** 0.5, name
