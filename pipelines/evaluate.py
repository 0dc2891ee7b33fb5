"""Stage `evaluate@t`: teacher, the student from scratch and the distilled student side by side."""

import numpy as np

from pipelines.labelled import read_labelled
from pipelines.stage import EVALUATION, MODELS, run
from textbook.evaluation.cost import count_parameters, cpu_milliseconds, weight_bytes
from textbook.evaluation.metrics import summarize
from textbook.files import read_json, write_json
from textbook.models.classifier import read_classifier
from textbook.models.encoder import load_tokenizer
from textbook.params import Params
from textbook.training.tokens import collate

MODEL_NAMES = ("teacher", "scratch", "student")


def evaluate(params: Params, task: str) -> None:
    """Write metrics (percent, mean and spread over seeds), parameters, bytes and milliseconds of each model."""
    folders = {name: MODELS / task / name for name in MODEL_NAMES}
    models = {name: read_classifier(folder) for name, folder in folders.items()}
    tokenizer = load_tokenizer(folders["teacher"])
    tokens = read_labelled(task, "validation", tokenizer, params.adapt.max_length).tokens
    rows = np.arange(min(params.evaluate.latency_sentences, len(tokens)))
    milliseconds = cpu_milliseconds(models, [collate(tokens, rows[n : n + 1], tokenizer.pad_token_id) for n in rows])
    figures = {}
    for name, folder in folders.items():
        figures[name] = {
            **summarize(read_json(folder / "result.json")["runs"]),
            "parameters": count_parameters(models[name]),
            "bytes": weight_bytes(folder),
            "ms_per_sentence": round(milliseconds[name], 3),
        }
    write_json(EVALUATION / f"{task}.json", figures)


if __name__ == "__main__":
    run(evaluate)
