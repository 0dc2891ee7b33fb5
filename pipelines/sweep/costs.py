"""What the students of a sweep cost: parameters, bytes and milliseconds, measured once for each shape."""

from collections.abc import Mapping
from pathlib import Path

from pipelines.code import hash_code
from pipelines.paths import ASSETS, CACHE, TASKS
from textbook.cells.cell import STUDENT, Cell
from textbook.files import digest, read_json, write_json
from textbook.params import Params
from tracking.lineage import dvc_hashes

Cost = Mapping[str, float]
"""`parameters`, `bytes` of the weights, and `ms_per_sentence`: CPU milliseconds for one validation text."""
MEASURED = CACHE / "costs"


def student_costs(task_params: Mapping[str, Params], folders: Mapping[Cell, Path]) -> dict[Cell, Cost]:
    """The costs of the students of finished cells, as the stage `evaluate` measures them.

    Weights do not change the time. So one student of each shape is measured for a task, in turns with the other shapes
    that are new, and the figures are kept: tables that are written again need no measurements.

    Args:
        task_params: the parameters of each task's cells.
        folders: finished cells and their folders.
    """
    paths = {cell: _path_of_costs(task_params[cell.task], cell, folder) for cell, folder in folders.items()}
    for task, params in task_params.items():
        new = {
            paths[cell]: folder / STUDENT
            for cell, folder in folders.items()
            if cell.task == task and not paths[cell].is_file()
        }
        if new:
            _measure(params, task, new)
    return {cell: read_json(path) for cell, path in paths.items()}


def _path_of_costs(params: Params, cell: Cell, folder: Path) -> Path:
    """The file for a student's costs, named by what decides them: its shape, the texts, and how they are timed."""
    shape = read_json(folder / STUDENT / "config.json")
    inputs = [str(TASKS / cell.task), str(ASSETS / params.teacher.asset)]  # the asset has the tokenizer
    hashes = dvc_hashes(inputs)
    settings = params.evaluate.latency_sentences, params.adapt.max_length
    return MEASURED / f"{digest(hash_code(__name__), shape, [hashes.get(path) for path in inputs], settings)}.json"


def _measure(params: Params, task: str, students: Mapping[Path, Path]) -> None:
    """Measure students of a task, which take turns in being timed, and write the costs of each.

    Args:
        students: their Hugging Face folders, by the files for their costs.
    """
    # PyTorch and transformers, which a sweep needs only when there is a new shape
    import transformers

    from textbook.evaluation.cost import count_parameters, milliseconds, on_cpu, single_texts, weight_bytes
    from textbook.models.classifier import read_classifier
    from textbook.models.encoder import load_tokenizer
    from textbook.tasks.splits import VALIDATION
    from textbook.training.finetuning.labelled import read_labelled

    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # one for each student
    tokenizer = load_tokenizer(next(iter(students.values())))
    tokens = read_labelled(TASKS / task, VALIDATION, tokenizer, params.adapt.max_length).tokens
    inputs = single_texts(tokens, params.evaluate.latency_sentences, tokenizer.pad_token_id)
    models = {path: read_classifier(folder) for path, folder in students.items()}
    times = milliseconds({str(path): on_cpu(model) for path, model in models.items()}, inputs)
    for path, model in models.items():
        size, time = weight_bytes(students[path]), round(times[str(path)], 3)
        write_json(path, {"parameters": count_parameters(model), "bytes": size, "ms_per_sentence": time})
