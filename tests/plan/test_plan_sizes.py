"""Sizes of texts, textbooks and encoders before they are there."""

from dataclasses import replace
from pathlib import Path

import pytest
from transformers import BertConfig, BertModel, DistilBertConfig, RobertaConfig

from pipelines.planning.facts import shape_of_config
from textbook.params import Budget, Params
from textbook.params_file import load_params
from textbook.plan.sizes import (
    Facts,
    Rows,
    Shape,
    Unknown,
    book_row_bytes,
    book_sentences,
    corpus_bytes,
    likely_shape,
    rows_of,
    text_tokens,
)

ROOT = Path(__file__).parents[2]
FACTS = Facts(sources={"imdb": 33e6}, tasks={"rotten_tomatoes": Rows(7530, 1000, 109)})


@pytest.fixture(scope="module")
def params() -> Params:
    return load_params(ROOT / "params.yaml")


def contextualized(params: Params, **values: object) -> Params:
    """The parameters with other values of the contextualized textbook."""
    own = params.textbooks.contextualized.model_copy(update=values)
    return params.model_copy(update={"textbooks": params.textbooks.model_copy(update={"contextualized": own})})


def test_textbooks_have_about_the_sizes_that_they_had(params: Params) -> None:
    assert book_sentences(params, FACTS, "rotten_tomatoes", "contextualized") == pytest.approx(138_188, rel=0.15)
    assert book_sentences(params, FACTS, "rotten_tomatoes", "general") == 140_000
    assert book_sentences(params, FACTS, "rotten_tomatoes", "augmented") == pytest.approx(26_526, rel=0.05)
    assert corpus_bytes(FACTS) == pytest.approx(31_039_861, rel=0.01)
    more = book_sentences(contextualized(params, k=100), FACTS, "rotten_tomatoes", "contextualized")
    assert more == pytest.approx(213_423, rel=0.15)


def test_a_textbook_is_no_larger_than_its_budget_and_the_corpus(params: Params) -> None:
    for unit, size, most in (("sentences", 1000, 1000), ("bytes", 95_000, 1000)):
        budget = Budget(unit=unit, size=size)
        own = contextualized(params, budget=budget)
        assert book_sentences(own, FACTS, "rotten_tomatoes", "contextualized") <= most
    endless = contextualized(params, k=10**6)
    whole = corpus_bytes(FACTS) / 100
    assert book_sentences(endless, FACTS, "rotten_tomatoes", "contextualized") < whole


def test_a_textbook_of_pairs_has_half_the_rows_with_twice_the_text(params: Params) -> None:
    task = params.task("rotten_tomatoes")
    pairs = params.model_copy(update={"tasks": {"rotten_tomatoes": task.model_copy(update={"text": ["a", "b"]})}})
    for kind in ("general", "contextualized"):
        single = book_row_bytes(params, FACTS, "rotten_tomatoes", kind)
        assert book_row_bytes(pairs, FACTS, "rotten_tomatoes", kind) == 2 * single
    assert book_sentences(pairs, FACTS, "rotten_tomatoes", "general") == 70_000
    alone = contextualized(pairs, pairs=None)
    assert book_sentences(alone, FACTS, "rotten_tomatoes", "general") == 140_000


def test_tokens_end_at_the_maximum_length() -> None:
    assert text_tokens(92, 64) == pytest.approx(22)
    assert text_tokens(92, 64, pair=True) == pytest.approx(23)
    assert text_tokens(10_000, 64) == 64


def test_a_size_that_is_not_known_is_said_to_be(params: Params) -> None:
    with pytest.raises(Unknown):
        rows_of(FACTS, "mood")
    with pytest.raises(Unknown):
        corpus_bytes(replace(FACTS, sources={"imdb": 33e6, "news": None}))


def test_the_weights_of_a_shape_are_those_of_the_encoder() -> None:
    config = BertConfig(
        vocab_size=1000, hidden_size=48, num_hidden_layers=3, num_attention_heads=4, intermediate_size=96
    )
    there = sum(weight.numel() for weight in BertModel(config, add_pooling_layer=False).parameters())
    assert shape_of_config(config.to_dict()).weights == pytest.approx(there, rel=0.01)


@pytest.mark.parametrize(
    ("config", "shape"),
    [
        (RobertaConfig(num_hidden_layers=2, max_position_embeddings=514), Shape(2, 768, 3072, 50265, "roberta", 514)),
        (DistilBertConfig(dim=96, n_layers=2, hidden_dim=192), Shape(2, 96, 192, 30522)),
    ],
)
def test_families_have_their_sizes_under_names_of_their_own(config: BertConfig, shape: Shape) -> None:
    assert shape_of_config(config.to_dict()) == shape


@pytest.mark.parametrize(
    ("size", "shape"), [(91.6e6, (6, 384)), (133e6, (12, 384)), (438e6, (12, 768)), (1.42e9, (24, 1024))]
)
def test_an_encoder_that_is_not_there_yet_is_taken_to_be_the_usual_one_of_its_size(
    size: float, shape: tuple[int, int]
) -> None:
    likely = likely_shape(size)
    assert (likely.num_hidden_layers, likely.hidden_size) == shape
