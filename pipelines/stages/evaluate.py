"""Stage `evaluate@task`: compare teacher, student from scratch, distilled student, its int8 model and the baselines."""

from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from pipelines.cli import run
from pipelines.paths import EVALUATION, MODELS, TASKS, teacher_folder
from textbook.errors import UserError
from textbook.evaluation.comparison import compare_with_others
from textbook.evaluation.cost import (
    count_flops,
    count_parameters,
    dummy_batch,
    milliseconds,
    milliseconds_by_shape,
    on_cpu,
    single_texts,
    weight_bytes,
)
from textbook.evaluation.held_out import scores_on_test
from textbook.evaluation.metrics import summarize
from textbook.evaluation.predictions import PREDICTIONS, splits_to_predict, write_predictions
from textbook.files import atomic_write, read_json, write_json
from textbook.models.classifier import read_classifier
from textbook.models.encoder import load_tokenizer
from textbook.models.onnx import OnnxClassifier
from textbook.models.positions import max_tokens
from textbook.params import Evaluate, Params
from textbook.tasks.splits import VALIDATION
from textbook.training.engine.checks import check_readable
from textbook.training.engine.device import Device
from textbook.training.engine.tokens import Tokens
from textbook.training.finetuning.labelled import read_labelled
from textbook.training.finetuning.predict import predict

CLASSIFIERS = ("teacher", "scratch", "student", "truncated_teacher")  # Hugging Face folders
MEASURED = ("majority", "tfidf", "embeddings")  # their own stage has measured them
MODEL_NAMES = ("teacher", "scratch", "student", "onnx", *MEASURED, "truncated_teacher")
COST = ("parameters", "bytes", "ms_per_sentence")
CPU = Device(torch.device("cpu"), bf16=False)


def main(params: Params, task: str) -> None:
    """Write the quality and the cost of each model, and the predictions of the int8 model.

    The figures are the task's metrics (percent; mean and standard deviation over seeds), parameters, bytes and CPU
    milliseconds per validation text. Networks also have GFLOPs by length, and milliseconds per sentence by batch size
    and length. All but the student have the paired difference `paired`: the student's score minus theirs, see
    `compare_with_others`. If the task has a test split, `test` has the metrics on it.

    The milliseconds of networks are without tokenisation. Those of the other baselines include it.
    """
    folders = {name: MODELS / task / name for name in MODEL_NAMES}
    predicted = {**folders, "onnx": EVALUATION / task / "onnx"}
    predictions = {name: folder / PREDICTIONS for name, folder in predicted.items()}
    models: dict[str, Any] = {name: read_classifier(folders[name]) for name in CLASSIFIERS}
    models["onnx"] = OnnxClassifier(folders["onnx"])
    tokenizer = load_tokenizer(folders["teacher"])
    tokens = read_labelled(TASKS / task, VALIDATION, tokenizer, params.adapt.max_length).tokens
    _check(params.evaluate, models, tokens, tokenizer)
    _write_predictions(params, task, models["onnx"], predicted["onnx"])
    costs = _measure_costs(params.evaluate, models, tokens, tokenizer)
    figures: dict[str, dict[str, Any]] = {}
    for name, folder in folders.items():
        result = read_json(folder / "result.json")
        cost = {key: result[key] for key in COST} if name in MEASURED else costs[name]
        size = {} if name in MEASURED else {"bytes": weight_bytes(folder)}
        figures[name] = {**summarize(result["runs"]), **cost, **size}
        if on_test := scores_on_test(predicted[name], params.task(task).metrics):
            figures[name]["test"] = on_test
    figures["truncated_teacher"]["layers"] = models["truncated_teacher"].config.num_hidden_layers
    metric = params.task(task).metrics[0]
    others = {name: path for name, path in predictions.items() if name not in ("student", "onnx")}
    paired = compare_with_others(metric, predictions["student"], others)
    # The int8 model was made from one of the student's seeds, so it is compared with this one.
    int8, best_seed = {"onnx": predictions["onnx"]}, read_json(folders["student"] / "result.json")["best_seed"]
    paired |= compare_with_others(metric, predictions["student"], int8, seed=best_seed)
    for name, lead in paired.items():
        figures[name]["paired"] = lead
    write_json(EVALUATION / f"{task}.json", figures)


def _check(settings: Evaluate, models: dict[str, Any], tokens: Tokens, tokenizer: PreTrainedTokenizerBase) -> None:
    """Check that the networks can read all inputs.

    Raises:
        UserError: one cannot.
    """
    for name in CLASSIFIERS:
        config = models[name].config
        check_readable(config, tokens, tokenizer.pad_token_id, whose=name, section="adapt")
        longest = max_tokens(config)
        if longest is not None and max(settings.lengths) > longest:
            raise UserError(f"evaluate.lengths = {max(settings.lengths)}: must be at most {longest} for the {name}")


def _write_predictions(params: Params, task: str, model: OnnxClassifier, folder: Path) -> None:
    """Write the predictions of the int8 model; those of the other models were written by their stages."""
    tokenizer = load_tokenizer(teacher_folder(task))
    best_seed = read_json(MODELS / task / "student" / "result.json")["best_seed"]
    with atomic_write(folder.parent) as temporary:
        (temporary / folder.name).mkdir(parents=True)
        for name, split in splits_to_predict(TASKS / task).items():
            rows = read_labelled(TASKS / task, split, tokenizer, params.adapt.max_length)
            outputs = predict(model, rows.tokens, pad_id=tokenizer.pad_token_id, device=CPU)
            write_predictions(temporary / folder.name / name, rows.labels, {best_seed: outputs})


def _measure_costs(
    settings: Evaluate, models: dict[str, Any], tokens: Tokens, tokenizer: PreTrainedTokenizerBase
) -> dict[str, dict[str, Any]]:
    """Parameters, operations and times of the networks. The models take turns in being timed."""
    runs = {name: on_cpu(model) for name, model in models.items()}
    single = milliseconds(runs, single_texts(tokens, settings.latency_sentences, tokenizer.pad_token_id))
    shapes = {(b, n): dummy_batch(models["teacher"], b, n) for b in settings.batches for n in settings.lengths}
    by_shape = milliseconds_by_shape(runs, shapes)
    networks = {**models, "onnx": models["student"]}  # the same network, to count parameters and operations
    return {
        name: {
            "parameters": count_parameters(network),
            "ms_per_sentence": round(single[name], 3),
            "gflops": {str(n): round(count_flops(network, n) / 1e9, 3) for n in settings.lengths},
            "ms": by_shape[name],
        }
        for name, network in networks.items()
    }


if __name__ == "__main__":
    run(main)
