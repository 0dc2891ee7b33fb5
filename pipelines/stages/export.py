"""Stage `export@task`: export the adapted student as an int8 ONNX model."""

import torch

from pipelines.cli import run
from pipelines.paths import MODELS, TASKS
from textbook.evaluation.metrics import measure_on_validation
from textbook.files import atomic_write, write_json
from textbook.models.encoder import load_tokenizer
from textbook.models.onnx import OnnxClassifier, export_int8
from textbook.params import Params
from textbook.training.engine.device import Device


def main(params: Params, task: str) -> None:
    """Write the exported student with its tokenizer, its configuration and its own validation metrics."""
    student, max_length = MODELS / task / "student", params.adapt.max_length
    cpu = Device(torch.device("cpu"), bf16=False)
    tokenizer = load_tokenizer(student)
    measure = measure_on_validation(TASKS / task, params.task(task).metrics, tokenizer, max_length, cpu)
    with atomic_write(MODELS / task / "onnx") as temporary:
        temporary.mkdir()
        export_int8(student, temporary)
        metrics = measure(OnnxClassifier(temporary))
        write_json(temporary / "result.json", {"runs": [metrics]})
    print(f"{task}: int8 student: {', '.join(f'{name} {100 * value:.1f}' for name, value in metrics.items())}")


if __name__ == "__main__":
    run(main)
