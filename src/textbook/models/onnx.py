"""Export classifiers to int8 ONNX models, which are small, fast on a CPU and run without PyTorch."""

import logging
import shutil
import tempfile
import warnings
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from textbook.errors import UserError, first_line
from textbook.models.classifier import read_classifier
from textbook.models.encoder import inputs_for, load_tokenizer
from textbook.models.positions import max_tokens

MODEL = "model.onnx"


def export_int8(folder: Path, target: Path) -> None:
    """Export the classifier in `folder` to `target`, as `model.onnx` with its tokenizer and configuration.

    Batch size and sequence length are dynamic. Weights are quantised to int8 with one scale per matrix, and activations
    at run time (dynamic quantisation). Operations other than matrix products run in fp32.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    model = read_classifier(folder)
    model.eval()  # type: ignore[no-untyped-call]
    model.config.return_dict = False  # export the logits only
    model.set_attn_implementation("eager")  # the graph of PyTorch's fused attention is twice as slow
    ids = torch.ones(2, 8, dtype=torch.int64)
    batch = {"input_ids": ids, "attention_mask": ids.clone(), "token_type_ids": torch.zeros_like(ids)}
    example = inputs_for(model, batch)
    rows = torch.export.Dim("rows")
    longest = max_tokens(model.config) or model.config.max_position_embeddings
    tokens = torch.export.Dim("tokens", min=2, max=longest)
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they concern the internals of the exporter
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        exported, prepared = Path(name) / "exported.onnx", Path(name) / "prepared.onnx"
        torch.onnx.export(
            model,
            (),
            exported,
            kwargs=example,
            input_names=list(example),
            output_names=["logits"],
            dynamic_shapes={key: {0: rows, 1: tokens} for key in example},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        quant_pre_process(exported, prepared, skip_symbolic_shape=True)
        # 7-bit weights: with 8 bits, sums of products overflow on processors without VNNI instructions.
        quantize_dynamic(prepared, target / MODEL, weight_type=QuantType.QInt8, reduce_range=True)
    shutil.copy(folder / "config.json", target)
    load_tokenizer(folder).save_pretrained(target)


class OnnxClassifier(nn.Module):
    """Runs the `model.onnx` of a folder on the CPU, with the call signature of the original classifier.

    It uses as many threads as PyTorch. A model that refers to other files is refused, since it could refer to any file.

    Raises:
        UserError: the folder has no such model, or the model refers to other files.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        path = folder / MODEL
        try:  # loading from bytes prevents access to other files
            self._session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime has one class per error code and no common base class
            raise UserError(f"{path}: cannot be run: {first_line(error)}") from None
        self._inputs = [tensor.name for tensor in self._session.get_inputs()]

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> SimpleNamespace:
        """The `logits` [batch, classes] of token ids, mask and segments, each int64 [batch, seq]."""
        batch = {"input_ids": input_ids, "attention_mask": attention_mask}
        if token_type_ids is not None:
            batch["token_type_ids"] = token_type_ids
        (logits,) = self._session.run(None, {name: batch[name].numpy() for name in self._inputs})
        return SimpleNamespace(logits=torch.from_numpy(logits))
