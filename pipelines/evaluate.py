"""Stage `evaluate@t`: teacher, the student from scratch, the distilled student and its int8 model side by side."""

import numpy as np

from pipelines.labelled import read_labelled
from pipelines.stage import EVALUATION, MODELS, run
from textbook.evaluation.cost import (
    count_flops,
    count_parameters,
    make_batch,
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
from textbook.params import Params
from textbook.tasks.prepare import VALIDATION
from textbook.training.tokens import collate

MODEL_NAMES = ("teacher", "scratch", "student", "onnx")


def evaluate(params: Params, task: str) -> None:
    """Write what each model is worth and costs.

    That is: the task's metrics (percent, mean and spread over seeds), parameters, bytes, the milliseconds of a
    validation text on the CPU, and by length GFLOPs, by batch and length milliseconds per sentence.
    """
    settings = params.evaluate
    folders = {name: MODELS / task / name for name in MODEL_NAMES}
    models = {name: read_classifier(folder) for name, folder in folders.items() if name != "onnx"}
    runs = {name: on_cpu(model) for name, model in {**models, "onnx": OnnxClassifier(folders["onnx"])}.items()}
    models["onnx"] = models["student"]  # in other numbers
    tokenizer = load_tokenizer(folders["teacher"])
    tokens = read_labelled(task, VALIDATION, tokenizer, params.adapt.max_length).tokens
    rows = np.arange(min(settings.latency_sentences, len(tokens)))
    alone = milliseconds(runs, [collate(tokens, rows[n : n + 1], tokenizer.pad_token_id) for n in rows])
    shapes = {(b, n): make_batch(models["teacher"], b, n) for b in settings.batches for n in settings.lengths}
    by_shape = milliseconds_by_shape(runs, shapes)
    figures = {
        name: {
            **summarize(read_json(folder / "result.json")["runs"]),
            "parameters": count_parameters(models[name]),
            "bytes": weight_bytes(folder),
            "ms_per_sentence": round(alone[name], 3),
            "gflops": {str(n): round(count_flops(models[name], n) / 1e9, 3) for n in settings.lengths},
            "ms": by_shape[name],
        }
        for name, folder in folders.items()
    }
    write_json(EVALUATION / f"{task}.json", figures)


if __name__ == "__main__":
    run(evaluate)
