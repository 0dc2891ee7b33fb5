"""Encoders that end at a layer compute what the reader of the whole encoder reads, without work of the CPU."""

import pytest
import torch
from test_encoder import FAMILIES, OTHER_SHAPES, SHAPE, make_encoder
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import AutoConfig, AutoModel

from textbook.errors import UserError
from textbook.models.cut import cut_encoder, make_recordable
from textbook.models.encoder import QkvReader, inputs_for

IDS = torch.randint(5, 50, (3, 11), generator=torch.Generator().manual_seed(0))
MASK = (torch.arange(11) < torch.tensor([[11], [6], [1]])).long()
BATCH = {"input_ids": IDS * MASK + (1 - MASK), "attention_mask": MASK}  # the pad token is 1


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layer", [1, 2, 3])
def test_a_cut_encoder_gives_what_the_reader_reads(family, layer):
    encoder = make_encoder(family)
    whole = encoder(**inputs_for(encoder, BATCH)).last_hidden_state
    expected = torch.cat(QkvReader(encoder, layer)(**BATCH), dim=2)
    cut = cut_encoder(encoder, layer, "encoder")
    make_recordable(cut)
    for _ in range(2):
        actual = cut(**inputs_for(cut, BATCH)).last_hidden_state
        torch.testing.assert_close(actual[MASK == 1], expected[MASK == 1], rtol=1e-5, atol=1e-5)
    assert torch.equal(encoder(**inputs_for(encoder, BATCH)).last_hidden_state, whole)  # the encoder is as it was
    assert {id(weight) for weight in cut.parameters()} <= {id(weight) for weight in encoder.parameters()}


@pytest.mark.parametrize("family", ["bert", "modernbert"])
def test_gradients_reach_the_encoders_weights(family):
    encoder = make_encoder(family)
    outputs = (
        torch.cat(QkvReader(encoder, 2)(**BATCH), dim=2),
        cut_encoder(encoder, 2, "encoder")(**inputs_for(encoder, BATCH)).last_hidden_state,
    )
    gradients = []
    for output in outputs:
        encoder.zero_grad()
        (output * MASK[..., None]).square().sum().backward()
        gradients.append({name: weight.grad for name, weight in encoder.named_parameters()})
    for name, gradient in gradients[0].items():
        assert (gradient is None) == (gradients[1][name] is None)
        if gradient is not None:
            torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-4, atol=1e-4)


def test_a_layer_that_is_not_there_is_refused():
    with pytest.raises(UserError, match="the teacher has no layer 4: must be from 1 to 3"):
        cut_encoder(make_encoder("bert"), 4, "teacher")


class OnlyOneDevice(TorchDispatchMode):
    """Collects the operations that a CUDA graph could not contain: copies between devices, and work on the CPU."""

    def __init__(self):
        super().__init__()
        self.offences = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        used = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        made = [x for x in tree_leaves(output) if isinstance(x, torch.Tensor)]
        devices = {x.device.type for x in (*used, *made)}
        copies = func in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
        if (copies and len(devices) > 1) or any(x.device.type == "cpu" and x.dim() for x in (*used, *made)):
            self.offences.append(str(func))
        return output


def offences_in_second_pass(family, recordable):
    """What the second pass of a model on another device does on the CPU."""
    buckets = {"deberta-v2": {"position_buckets": 4}}  # as all published models have
    config = AutoConfig.for_model(family, **OTHER_SHAPES.get(family, SHAPE), **buckets.get(family, {}))
    encoder = AutoModel.from_config(config).eval()
    cut = cut_encoder(encoder, 2, "encoder")
    if recordable:
        make_recordable(cut)
    encoder.to("meta")
    batch = {name: tensor.to("meta") for name, tensor in inputs_for(cut, BATCH).items()}
    if "attention_mask" in batch and family != "deberta-v2":
        batch["attention_mask"] = torch.zeros(3, 1, 11, 11, device="meta")
    cut(**batch)
    with OnlyOneDevice() as mode:
        cut(**batch)
    return mode.offences


@pytest.mark.parametrize("family", ["mpnet", "deberta-v2"])
def test_after_the_first_pass_relative_positions_need_no_cpu(family):
    assert offences_in_second_pass(family, recordable=True) == []


def test_without_that_debertas_positions_need_the_cpu():
    assert offences_in_second_pass("deberta-v2", recordable=False)
