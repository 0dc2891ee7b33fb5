"""Classifiers as int8 models in ONNX: small, fast on the CPU, and run without PyTorch."""

import logging
import shutil
import tempfile
import warnings
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from textbook.errors import UserError
from textbook.models.classifier import read_classifier
from textbook.models.encoder import inputs_for, load_tokenizer

MODEL = "model.onnx"


def export_int8(folder: Path, target: Path) -> None:
    """Write the classifier in `folder` as `model.onnx` beside its tokenizer and configuration.

    Batch and length are free. Weights are int8 with one scale for each matrix, activations are quantised as they come
    (dynamic quantisation), and what is no matrix product is computed in fp32.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    model = read_classifier(folder)
    model.eval()  # type: ignore[no-untyped-call]
    model.config.return_dict = False  # the logits alone
    model.set_attn_implementation("eager")  # PyTorch's fused attention becomes twice as slow a graph
    ids = torch.ones(2, 8, dtype=torch.int64)
    batch = {"input_ids": ids, "attention_mask": ids.clone(), "token_type_ids": torch.zeros_like(ids)}
    example = inputs_for(model, batch)
    rows = torch.export.Dim("rows")
    tokens = torch.export.Dim("tokens", min=2, max=model.config.max_position_embeddings - 2)  # RoBERTa counts from 2
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are of what the exporter calls within itself
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        whole, prepared = Path(name) / "whole.onnx", Path(name) / "prepared.onnx"
        torch.onnx.export(
            model,
            (),
            whole,
            kwargs=example,
            input_names=list(example),
            output_names=["logits"],
            dynamic_shapes={key: {0: rows, 1: tokens} for key in example},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        quant_pre_process(whole, prepared, skip_symbolic_shape=True)
        # 7 bits for the weights: with 8, processors without VNNI instructions overflow when they add products up.
        quantize_dynamic(prepared, target / MODEL, weight_type=QuantType.QInt8, reduce_range=True)
    shutil.copy(folder / "config.json", target)
    load_tokenizer(folder).save_pretrained(target)


class OnnxClassifier(nn.Module):
    """Runs `model.onnx` of a folder on as many of the CPU's cores as PyTorch uses, and is called as its original is.

    Raises:
        UserError: there is no such model, or it is not in one piece: a file it points to could be any.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        path = folder / MODEL
        try:  # from bytes, so that nothing beside them is read
            self._session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime has a class for each of its error codes, and no common one
            raise UserError(f"{path}: cannot be run: {str(error).splitlines()[0]}") from None
        self._inputs = [each.name for each in self._session.get_inputs()]

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> SimpleNamespace:
        """The `logits` [batch, classes] of token ids, mask and segments, each int64 [batch, seq]."""
        batch = {"input_ids": input_ids, "attention_mask": attention_mask}
        if token_type_ids is not None:
            batch["token_type_ids"] = token_type_ids
        (logits,) = self._session.run(None, {name: batch[name].numpy() for name in self._inputs})
        return SimpleNamespace(logits=torch.from_numpy(logits))
