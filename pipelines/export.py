"""Stage `export@t`: the adapted student as an int8 model in ONNX."""

import torch

from pipelines.labelled import measure_of
from pipelines.stage import MODELS, run
from textbook.files import write_aside, write_json
from textbook.models.encoder import load_tokenizer
from textbook.models.onnx import OnnxClassifier, export_int8
from textbook.params import Params
from textbook.training.device import Device


def export(params: Params, task: str) -> None:
    """Write the exported student with its tokenizer, its configuration and its own validation figures."""
    student = MODELS / task / "student"
    cpu = Device(torch.device("cpu"), bf16=False)
    measure = measure_of(task, params.task(task), load_tokenizer(student), params.adapt.max_length, cpu)
    with write_aside(MODELS / task / "onnx") as aside:
        aside.mkdir()
        export_int8(student, aside)
        figures = measure(OnnxClassifier(aside))
        write_json(aside / "result.json", {"runs": [figures]})
    print(f"{task}: int8 student's {', '.join(f'{name} {100 * value:.1f}' for name, value in figures.items())}")


if __name__ == "__main__":
    run(export)
