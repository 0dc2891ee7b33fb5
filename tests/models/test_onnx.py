"""The int8 model approximates the original classifier and is self-contained."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from conftest import make_reviews
from textbook.errors import UserError
from textbook.models.classifier import load_classifier
from textbook.models.encoder import load_tokenizer
from textbook.models.onnx import MODEL, OnnxClassifier, export_int8
from textbook.training.engine.device import Device
from textbook.training.engine.tokens import tokenize
from textbook.training.finetuning.predict import predict

CPU = Device(torch.device("cpu"), bf16=False)


@pytest.fixture(scope="module")
def folders(tiny_teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folders of a classifier and of its int8 model."""
    folder, target = tmp_path_factory.mktemp("classifier"), tmp_path_factory.mktemp("onnx")
    load_classifier(tiny_teacher, ["bad", "good"], seed=0).save_pretrained(folder)
    load_tokenizer(tiny_teacher).save_pretrained(folder)
    export_int8(folder, target)
    return folder, target


def test_logits_are_close_to_the_original_for_any_batch_and_length(folders, tiny_teacher):
    folder, target = folders
    tokenizer = load_tokenizer(target)
    tokens = tokenize(tokenizer, [text for text, _ in make_reviews(70, seed=0)], None, 32)
    original = load_classifier(folder, ["bad", "good"], seed=1)
    for batch in (1, 64):
        quantised, expected = (
            predict(model, tokens, pad_id=tokenizer.pad_token_id, device=CPU, batch=batch)
            for model in (OnnxClassifier(target), original)
        )
        assert np.abs(quantised - expected).max() < 0.1 * np.abs(expected).max()
        assert np.corrcoef(quantised.ravel(), expected.ravel())[0, 1] > 0.99


def test_weights_are_int8_and_in_a_single_file(folders):
    model = onnx.load(folders[1] / MODEL, load_external_data=False)
    kinds = {tensor.data_type for tensor in model.graph.initializer if len(tensor.dims) == 2}
    assert TensorProto.INT8 in kinds
    assert all(tensor.data_location == TensorProto.DEFAULT for tensor in model.graph.initializer)
    assert sum(path.stat().st_size for path in folders[1].glob("*.onnx*")) == (folders[1] / MODEL).stat().st_size


def test_a_missing_or_damaged_model_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"model.onnx: cannot be run: .*No such file"):
        OnnxClassifier(tmp_path)
    (tmp_path / MODEL).write_bytes(b"nonsense")
    with pytest.raises(UserError, match=r"model.onnx: cannot be run: "):
        OnnxClassifier(tmp_path)


def test_a_model_that_refers_to_another_file_is_refused(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(4))
    weight = helper.make_tensor("weight", TensorProto.FLOAT, [1], [0.0])
    weight.ClearField("float_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="secret")
    value = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["weight"], ["logits"])], "g", [], [value], [weight])
    (tmp_path / MODEL).write_bytes(helper.make_model(graph).SerializeToString())
    with pytest.raises(UserError, match="cannot be run"):
        OnnxClassifier(tmp_path)
