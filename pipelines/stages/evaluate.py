"""Stage `evaluate@task`: compare teacher, student from scratch, distilled student and its int8 model."""

import numpy as np

from pipelines.cli import run
from pipelines.paths import EVALUATION, MODELS, TASKS
from textbook.errors import UserError
from textbook.evaluation.cost import (
    count_flops,
    count_parameters,
    dummy_batch,
    milliseconds,
    milliseconds_by_shape,
    on_cpu,
    weight_bytes,
)
from textbook.evaluation.metrics import summarize
from textbook.files import read_json, write_json
from textbook.models.classifier import read_classifier
from textbook.models.encoder import load_tokenizer
from textbook.models.onnx import OnnxClassifier
from textbook.models.positions import max_tokens
from textbook.params import Params
from textbook.tasks.splits import VALIDATION
from textbook.training.engine.checks import check_readable
from textbook.training.engine.tokens import collate
from textbook.training.finetuning.labelled import read_labelled

MODEL_NAMES = ("teacher", "scratch", "student", "onnx")


def main(params: Params, task: str) -> None:
    """Write the quality and the cost of each model.

    The figures are the task's metrics (percent; mean and standard deviation over seeds), parameters, bytes, CPU
    milliseconds per validation text, GFLOPs by length, and milliseconds per sentence by batch size and length.
    """
    settings = params.evaluate
    folders = {name: MODELS / task / name for name in MODEL_NAMES}
    models = {name: read_classifier(folder) for name, folder in folders.items() if name != "onnx"}
    runs = {name: on_cpu(model) for name, model in {**models, "onnx": OnnxClassifier(folders["onnx"])}.items()}
    models["onnx"] = models["student"]  # the same network, to count parameters and operations
    tokenizer = load_tokenizer(folders["teacher"])
    tokens = read_labelled(TASKS / task, VALIDATION, tokenizer, params.adapt.max_length).tokens
    for name, model in models.items():
        check_readable(model.config, tokens, tokenizer.pad_token_id, whose=name, section="adapt")
        longest = max_tokens(model.config)
        if longest is not None and max(settings.lengths) > longest:
            raise UserError(f"evaluate.lengths = {max(settings.lengths)}: must be at most {longest} for the {name}")
    rows = np.arange(min(settings.latency_sentences, len(tokens)))
    single = milliseconds(runs, [collate(tokens, rows[n : n + 1], tokenizer.pad_token_id) for n in rows])
    shapes = {(b, n): dummy_batch(models["teacher"], b, n) for b in settings.batches for n in settings.lengths}
    by_shape = milliseconds_by_shape(runs, shapes)
    figures = {
        name: {
            **summarize(read_json(folder / "result.json")["runs"]),
            "parameters": count_parameters(models[name]),
            "bytes": weight_bytes(folder),
            "ms_per_sentence": round(single[name], 3),
            "gflops": {str(n): round(count_flops(models[name], n) / 1e9, 3) for n in settings.lengths},
            "ms": by_shape[name],
        }
        for name, folder in folders.items()
    }
    write_json(EVALUATION / f"{task}.json", figures)


if __name__ == "__main__":
    run(main)
