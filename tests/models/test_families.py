"""Every supported family loads from every form in which the hub has it."""

import pytest
import sentencepiece
import torch
from toy_models import CONFIGS, as_sentence_transformers, write_model
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification, PreTrainedModel

from textbook.models.classifier import load_classifier
from textbook.models.encoder import QkvReader, check_supported, load_config, load_encoder, load_tokenizer
from textbook.models.folders import tokenizer_hash
from textbook.training.engine.tokens import tokenize
from textbook.training.masked_lm import add_head

FAMILIES = list(CONFIGS)
TEXTS = ["the film is great 12.", "a dull plot", "unheard-of wörds"]
SECOND = [*TEXTS[1:], TEXTS[0]]


def same_weights(model: PreTrainedModel, saved: PreTrainedModel) -> bool:
    weights = model.state_dict()
    return all(torch.equal(weights[name], weight.float()) for name, weight in saved.state_dict().items())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("how", "count"),
    [({}, 1), ({"max_shard_size": "8KB"}, 2), ({"dtype": torch.float16}, 1), ({"dtype": torch.bfloat16}, 1)],
    ids=["whole", "sharded", "fp16", "bf16"],
)
def test_weights_load_in_fp32_as_they_were_saved(family, how, count, tmp_path):
    saved = write_model(tmp_path, family, **how)
    assert len(list(tmp_path.glob("*.safetensors"))) >= count
    encoder = load_encoder(tmp_path)
    assert encoder.dtype == torch.float32
    assert same_weights(encoder, saved)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("architecture", [AutoModelForMaskedLM, AutoModelForSequenceClassification])
def test_an_encoder_loads_from_a_model_with_any_head(family, architecture, tmp_path):
    saved = write_model(tmp_path, family, architecture)
    for model in (load_encoder(tmp_path), load_classifier(tmp_path, "ab", seed=0), add_head(tmp_path, seed=0)):
        ours, theirs = model.base_model.state_dict(), saved.base_model.state_dict()
        shared = [name for name in theirs if "pooler" not in name]
        assert all(torch.equal(ours[name], theirs[name]) for name in shared)
        assert {name for name in ours if "pooler" not in name} == set(shared)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("old", [False, True], ids=["plain", "sentence-transformers"])
def test_a_tokenizer_loads_from_its_fewest_files_and_fits_the_model(family, old, tmp_path):
    write_model(tmp_path / "model", family)
    if old:
        as_sentence_transformers(tmp_path / "model")
    tokenizer = load_tokenizer(tmp_path / "model")
    check_supported(load_config(tmp_path / "model"))
    tokens = tokenize(tokenizer, TEXTS, SECOND, 32)
    encoder = load_encoder(tmp_path / "model").eval()
    batch = {"input_ids": torch.from_numpy(tokens.ids[: tokens.offsets[1]].astype("int64"))[None]}
    QkvReader(encoder, 2)(**batch, attention_mask=torch.ones_like(batch["input_ids"]))
    assert tokenizer.unk_token_id not in tokens.ids[: tokens.offsets[1]]
    tokenizer.save_pretrained(tmp_path / "saved")  # as every stage hands it on
    again = tokenize(load_tokenizer(tmp_path / "saved"), TEXTS, SECOND, 32)
    assert again.ids.tolist() == tokens.ids.tolist()
    assert again.types.tolist() == tokens.types.tolist()


@pytest.mark.parametrize(
    ("family", "name", "shift"), [("xlm-roberta", "sentencepiece.bpe.model", 1), ("deberta-v2", "spm.model", 0)]
)
def test_tokens_are_those_of_sentencepiece(family, name, shift, tmp_path):
    """XLM-R numbers its tokens as fairseq does, which puts one more special token first."""
    write_model(tmp_path, family)
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / name))
    tokenizer = load_tokenizer(tmp_path)
    for text in TEXTS[:2]:
        expected = [number + shift for number in pieces.encode(text)]
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == expected


@pytest.mark.parametrize("name", ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt"])
def test_every_file_of_a_tokenizer_changes_its_hash(name, tmp_path):
    write_model(tmp_path, "bert")
    before = tokenizer_hash(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "result.json").write_text("{}")
    assert tokenizer_hash(tmp_path) == before
    with (tmp_path / name).open("a") as file:
        file.write("\nmore" if name == "vocab.txt" else "{}")
    assert tokenizer_hash(tmp_path) != before
