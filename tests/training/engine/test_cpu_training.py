import pytest
import torch
from torch import nn
from toy_models import CONFIGS, write_model
from transformers import AutoModelForSequenceClassification

from textbook.models.encoder import inputs_for
from textbook.training.engine.cpu_training import FastDropout, dropped, faster_on_cpu

MANY = torch.ones(400, 500)


def batch_of(model):
    torch.manual_seed(1)
    ids = torch.randint(5, model.config.vocab_size, (3, 12))
    mask = (torch.arange(12) < torch.tensor([12, 7, 1])[:, None]).long()
    return inputs_for(model, {"input_ids": ids, "attention_mask": mask})


def gradients_of(model):
    torch.manual_seed(0)
    model.zero_grad()
    model(**batch_of(model)).logits.float().square().sum().backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_share_is_dropped_and_the_mean_stays(p, dtype):
    torch.manual_seed(0)
    result = dropped(MANY.to(dtype), p)
    assert result.dtype == dtype
    assert (result == 0).float().mean() == pytest.approx(p, abs=0.005)
    assert set(result.unique().tolist()) == {0, torch.tensor(1 / (1 - p), dtype=dtype).item()}


def test_all_is_dropped_with_probability_1():
    assert dropped(MANY, 1.0).abs().max() == 0


def test_masks_are_independent_of_each_other_and_of_the_position():
    torch.manual_seed(0)
    masks = torch.stack([dropped(MANY.view(-1)[:20_000], 0.1) == 0 for _ in range(60)]).float()
    off_diagonal = torch.corrcoef(masks)[~torch.eye(60, dtype=torch.bool)]
    assert off_diagonal.std() == pytest.approx(20_000**-0.5, rel=0.1)
    for lag in (1, 2, 12, 21, 192):
        near = torch.stack([masks[:, lag:].flatten(), masks[:, :-lag].flatten()])
        assert torch.corrcoef(near)[0, 1].abs() < 0.005
    assert masks.mean(0).std() == pytest.approx((0.1 * 0.9 / 60) ** 0.5, rel=0.05)


def test_the_state_of_pytorchs_generator_decides_the_mask():
    torch.manual_seed(0)
    first = dropped(MANY, 0.1)
    state = torch.get_rng_state()
    second = dropped(MANY, 0.1)
    torch.set_rng_state(state)
    assert torch.equal(dropped(MANY, 0.1), second)
    assert not torch.equal(first, second)


def test_only_training_drops():
    layer = FastDropout(0.5)
    assert (layer(MANY) == 0).any()
    assert torch.equal(layer.eval()(MANY), MANY)


@pytest.mark.parametrize("family", CONFIGS)
@pytest.mark.parametrize("training", [True, False])
def test_without_dropout_gradients_are_pytorchs(family, training, tmp_path):
    model = write_model(tmp_path, family, AutoModelForSequenceClassification).float().train(training)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    expected = gradients_of(model)
    with faster_on_cpu(model):
        for name, gradient in gradients_of(model).items():
            torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-5, msg=f"{family}: {name}")


@pytest.mark.parametrize("family", CONFIGS)
def test_the_model_is_itself_again_afterwards(family, tmp_path):
    model = write_model(tmp_path, family, AutoModelForSequenceClassification).float().train()
    kinds, attention = [type(module) for module in model.modules()], model.config._attn_implementation
    with faster_on_cpu(model):
        assert not [module for module in model.modules() if type(module) is nn.Dropout]
        gradients_of(model)
        model.eval()
    assert [type(module) for module in model.modules()] == kinds
    assert model.config._attn_implementation == attention
    assert not any(module.training for module in model.modules())


def test_attention_and_layers_drop_as_often_as_pytorchs(tmp_path):
    """The mean output over many masks is that of PyTorch's dropout."""
    model = write_model(tmp_path, "bert", AutoModelForSequenceClassification).float().train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.3

    inputs = batch_of(model)
    copies = {name: part.repeat(100, *[1] * (part.ndim - 1)) for name, part in inputs.items()}  # each with its own mask

    def mean_and_deviation():
        torch.manual_seed(0)
        with torch.no_grad():
            outputs = torch.cat([model(**copies).logits.unflatten(0, (100, -1)) for _ in range(20)])
        return outputs.mean(0), outputs.std(0)

    plain_mean, plain_deviation = mean_and_deviation()
    with faster_on_cpu(model):
        mean, deviation = mean_and_deviation()
    error = plain_deviation / 2000**0.5
    assert ((mean - plain_mean).abs() < 6 * error).all()
    torch.testing.assert_close(deviation, plain_deviation, rtol=0.15, atol=0)
