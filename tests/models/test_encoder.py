"""Loading encoders and reading their queries, keys and values."""

from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModel, BertConfig, BertModel, GPT2Config, GPT2Model

from textbook.errors import UserError
from textbook.models.encoder import QkvReader, check_relation_heads, load_encoder, load_tokenizer, resolve_layer

SHAPE = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
    "pad_token_id": 1,
}
SMALL_IDS = {"bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
OTHER_SHAPES = {
    "distilbert": {"vocab_size": 50, "dim": 16, "n_layers": 3, "n_heads": 4, "hidden_dim": 32, "pad_token_id": 1},
    "modernbert": {**SHAPE, **SMALL_IDS},
    # as in DeBERTa-v3: relative positions use the same projections
    "deberta-v2": {**SHAPE, "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "share_att_key": True},
}
FAMILIES = ["bert", "roberta", "xlm-roberta", "electra", "distilbert", "mpnet", "modernbert", "deberta-v2"]


def make_encoder(family):
    torch.manual_seed(0)
    config = AutoConfig.for_model(family, **OTHER_SHAPES.get(family, SHAPE))
    return AutoModel.from_config(config).eval()


def project(encoder, family, layer, below):
    """Queries, keys and values computed by the modules of the layer from its input."""
    if family == "distilbert":
        attention = encoder.transformer.layer[layer - 1].attention
        return tuple(part(below) for part in (attention.q_lin, attention.k_lin, attention.v_lin))
    if family == "modernbert":
        block = encoder.layers[layer - 1]
        return block.attn.Wqkv(block.attn_norm(below)).chunk(3, dim=-1)
    attention = encoder.encoder.layer[layer - 1].attention
    if family == "mpnet":
        return tuple(part(below) for part in (attention.attn.q, attention.attn.k, attention.attn.v))
    ending = "_proj" if family == "deberta-v2" else ""
    return tuple(getattr(attention.self, f"{name}{ending}")(below) for name in ("query", "key", "value"))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layer", [1, 2, 3])
def test_the_reader_gives_the_projections_of_the_input_of_the_layer(family, layer):
    encoder = make_encoder(family)
    ids = torch.randint(5, 50, (2, 7))
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
    with torch.no_grad():
        below = encoder(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states[layer - 1]
        expected = project(encoder, family, layer, below)
        outputs = QkvReader(encoder, layer)(ids, mask)
    for output, projection in zip(outputs, expected, strict=True):
        torch.testing.assert_close(output[mask == 1], projection[mask == 1])


def test_segments_reach_the_encoder():
    torch.manual_seed(0)
    encoder = BertModel(BertConfig(**SHAPE)).eval()
    ids, mask = torch.randint(5, 50, (1, 6)), torch.ones(1, 6, dtype=torch.long)
    types = torch.tensor([[0, 0, 0, 1, 1, 1]])
    below = encoder(ids, mask, types, output_hidden_states=True).hidden_states[1]
    reader = QkvReader(encoder, 2)
    query, _, _ = reader(ids, mask, types)
    torch.testing.assert_close(query, encoder.encoder.layer[1].attention.self.query(below))
    assert not torch.allclose(query, reader(ids, mask)[0])


def test_later_layers_do_not_run():
    encoder = BertModel(BertConfig(**SHAPE)).eval()
    finished: list[int] = []
    for number, layer in enumerate(encoder.encoder.layer, start=1):
        layer.register_forward_hook(lambda *_, number=number: finished.append(number))
    QkvReader(encoder, 2)(torch.ones(1, 4, dtype=torch.long), torch.ones(1, 4, dtype=torch.long))
    assert finished == [1]


def test_two_readers_of_one_encoder_do_not_interfere():
    encoder = BertModel(BertConfig(**SHAPE)).eval()
    ids, mask = torch.tensor([[1, 2, 3]]), torch.ones(1, 3, dtype=torch.long)
    first, second = QkvReader(encoder, 1), QkvReader(encoder, 2)
    outputs = first(ids, mask)
    torch.testing.assert_close(first(ids, mask), outputs)
    assert not torch.allclose(second(ids, mask)[0], outputs[0])
    assert encoder(ids, mask).last_hidden_state.shape == (1, 3, SHAPE["hidden_size"])


def test_an_unsupported_encoder_is_refused_with_the_supported_ones():
    with pytest.raises(UserError, match="GPT2Model: unsupported encoder; supported are BERT, RoBERTa"):
        QkvReader(GPT2Model(GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=50)), 1)


def test_a_missing_layer_is_refused():
    with pytest.raises(UserError, match=r"the encoder has no layer 4: must be from 1 to 3"):
        QkvReader(BertModel(BertConfig(**SHAPE)), 4)


@pytest.mark.parametrize(
    ("layer", "layers", "family", "expected"),
    [
        ("auto", 24, "roberta", 19),
        ("auto", 24, "bert", 21),
        ("auto", 12, "roberta", 12),
        ("auto", 6, "bert", 6),
        (3, 24, "bert", 3),
    ],
)
def test_the_default_teacher_layer_follows_minilmv2(layer, layers, family, expected):
    assert resolve_layer(layer, layers, family) == expected


def test_relation_heads_must_divide_the_hidden_size():
    check_relation_heads(384, 48, "teacher")
    with pytest.raises(
        UserError, match=r"relation_heads = 5: must divide the teacher's hidden size 12 \(1, 2, 3, 4, 6, 12\)"
    ):
        check_relation_heads(12, 5, "teacher")


def test_a_folder_without_a_model_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="cannot load an encoder"):
        load_encoder(tmp_path)
    with pytest.raises(UserError, match="cannot load a tokenizer"):
        load_tokenizer(tmp_path)


def test_pickled_weights_are_not_loaded(tiny_teacher: Path, tmp_path: Path):
    (tmp_path / "config.json").write_text((tiny_teacher / "config.json").read_text())
    torch.save(load_encoder(tiny_teacher).state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="cannot load an encoder"):
        load_encoder(tmp_path)
