"""Weights that do not suit an encoder are refused by name; a head that does not suit the task is replaced."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from toy_models import CONFIGS, write_model
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification

from textbook.errors import UserError
from textbook.models.classifier import load_classifier, read_classifier
from textbook.models.encoder import load_encoder
from textbook.textbooks.augmentation.candidates import load_masked_lm
from textbook.training.masked_lm import add_head

Weights = dict[str, torch.Tensor]
LOADERS: dict[str, Callable[[Path], Any]] = {
    "encoder": load_encoder,
    "classifier": lambda folder: load_classifier(folder, ["bad", "good"], seed=0),
    "fine-tuned": read_classifier,
    "masked LM to train": lambda folder: add_head(folder, seed=0),
    "masked LM": lambda folder: load_masked_lm(folder, torch.device("cpu")),
}
HEADS = {"fine-tuned": AutoModelForSequenceClassification, "masked LM": AutoModelForMaskedLM}


def change_weights(folder: Path, change: Callable[[Weights], Weights]) -> None:
    path = folder / "model.safetensors"
    weights = change(load_file(path))
    save_file({name: weight.clone() for name, weight in weights.items()}, path, {"format": "pt"})


def renamed(old: str, new: str) -> Callable[[Weights], Weights]:
    return lambda weights: {name.replace(old, new, 1): weight for name, weight in weights.items()}


def without(part: str) -> Callable[[Weights], Weights]:
    return lambda weights: {name: weight for name, weight in weights.items() if part not in name}


def with_copy(old: str, new: str) -> Callable[[Weights], Weights]:
    return lambda weights: {**weights, **renamed(old, new)({n: w for n, w in weights.items() if old in n})}


def spoiled(weights: Weights) -> Weights:
    weights[next(name for name in weights if "layer.1" in name)].view(-1)[0] = float("nan")
    return weights


def shortened(weights: Weights) -> Weights:
    return {name: weight[:-1] if "word_embeddings" in name else weight for name, weight in weights.items()}


CHANGES = {
    "compiled": (renamed("", "_orig_mod."), "left over: _orig_mod.*; torch.compile added '_orig_mod'"),
    "compiled inside": (renamed("encoder.", "encoder._orig_mod."), "torch.compile added '_orig_mod'"),
    "parallel": (renamed("", "module."), "left over: module.*; DataParallel and DeepSpeed added 'module'"),
    "unknown wrapper": (renamed("", "net."), r"missing weights: .*left over: net\."),
    "layer missing": (without("layer.1."), r"missing weights: \S*encoder\.layer\.1\.\S+, .* and 13 more$"),
    "one missing": (
        without("layer.0.output.dense.bias"),
        r"missing weights: \S*encoder\.layer\.0\.output\.dense\.bias$",
    ),
    "layer too many": (with_copy("layer.1.", "layer.2."), r"left over: \S*encoder\.layer\.2\.\S+, .* and 13 more$"),
    "adapter": (with_copy("query.weight", "query.lora_A.weight"), r"left over: \S+query\.lora_A\.weight"),
    "other vocabulary": (
        shortened,
        r"word_embeddings\.weight has the shape \[99, 16\], but config.json asks for \[100, 16\]",
    ),
    "not finite": (spoiled, r"weights that are not finite: \S*encoder\.layer\.1\."),
}


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("change", CHANGES)
def test_weights_that_do_not_suit_the_encoder_are_refused(loader: str, change: str, tmp_path: Path) -> None:
    write_model(tmp_path, "bert", HEADS.get(loader, AutoModelForMaskedLM))
    LOADERS[loader](tmp_path)
    how, message = CHANGES[change]
    change_weights(tmp_path, how)
    with pytest.raises(UserError, match=message) as error:
        LOADERS[loader](tmp_path)
    assert "\n" not in str(error.value)
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize("family", CONFIGS)
def test_a_missing_and_a_left_over_layer_are_noticed_in_every_family(family: str, tmp_path: Path) -> None:
    write_model(tmp_path, family)
    layer = next(
        name for name in load_file(tmp_path / "model.safetensors") if ".1." in name or name.startswith("layers.1.")
    )
    change_weights(tmp_path, with_copy(layer, layer.replace("1.", "7.")))
    with pytest.raises(UserError, match="left over"):
        load_encoder(tmp_path)
    change_weights(tmp_path, lambda weights: without(layer)(without(layer.replace("1.", "7."))(weights)))
    with pytest.raises(UserError, match=f"missing weights: {layer}$"):
        load_encoder(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        without("pooler"),
        with_copy("position_embeddings.weight", "position_ids"),
        lambda weights: {**weights, "qa_outputs.weight": torch.ones(2, 16), "cls.seq_relationship.bias": torch.ones(2)},
        lambda weights: {  # names of the first published checkpoints
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): weight
            for name, weight in weights.items()
        },
    ],
    ids=["no pooler", "saved positions", "other heads", "old names"],
)
def test_weights_that_the_encoder_does_not_need_do_not_matter(change: Any, tmp_path: Path) -> None:
    write_model(tmp_path, "bert")
    expected = load_encoder(tmp_path).encoder.state_dict()
    change_weights(tmp_path, change)
    for model in (load_encoder(tmp_path), load_classifier(tmp_path, ["a", "b"], 0).base_model):
        assert all(weight.equal(expected[name]) for name, weight in model.encoder.state_dict().items())
        assert model.embeddings.LayerNorm.weight.eq(1).all()


def test_a_head_with_other_outputs_is_replaced_and_that_is_said(tmp_path: Path) -> None:
    load_from = tmp_path / "three"
    write_model(load_from, "bert")
    load_classifier(load_from, ["no", "maybe", "yes"], seed=0).save_pretrained(load_from)
    with pytest.warns(UserWarning, match=r"its head has other outputs and is replaced by a new one: classifier.bias"):
        model = load_classifier(load_from, ["bad", "good"], seed=0)
    assert model.config.id2label == {0: "bad", 1: "good"}
    assert model.classifier.weight.shape == (2, 16)
    model.save_pretrained(tmp_path / "two")
    assert read_classifier(tmp_path / "two").classifier.weight.equal(model.classifier.weight)


def test_a_fine_tuned_classifier_without_its_head_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path, "bert")
    with pytest.raises(
        UserError, match=r"cannot load a classifier: missing weights: classifier.bias, classifier.weight"
    ):
        read_classifier(tmp_path)
