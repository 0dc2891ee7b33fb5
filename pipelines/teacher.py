"""Stage `teacher@t`: fine-tune the teacher on the task, with every batch size and learning rate that is to be tried."""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from pipelines.labelled import measure_of, read_labelled
from pipelines.stage import ASSETS, CACHE, MODELS, TASKS, run
from textbook.assets import locate
from textbook.errors import UserError
from textbook.files import digest, hash_folder, read_json, write_aside, write_json
from textbook.models.classifier import load_classifier
from textbook.models.encoder import check_relation_heads, load_config, load_tokenizer
from textbook.params import Params
from textbook.processes import resolve_processes, run_processes
from textbook.tasks.prepare import TRAIN
from textbook.training.device import best_device, device_for
from textbook.training.finetune import Settings, finetune
from textbook.training.log import log_to_file

WHERE = {"processes", "zero", "accumulation", "checkpointing"}  # parameters that say where it is computed, not what
TRIED = {"batch", "lr", "epochs", "tasks"}


def teacher(params: Params, task: str) -> None:
    """Write the best teacher as a Hugging Face folder, with its history and the figures of all that was tried.

    What was killed goes on from its last checkpoint, be it with another ZeRO stage or number of processes.
    """
    settings, about = params.teacher, params.task(task)
    pretrained = locate(ASSETS / settings.asset).absolute()
    try:
        hidden, tokenizer = load_config(pretrained).hidden_size, load_tokenizer(pretrained)
    except UserError as error:
        raise UserError(f"teacher.asset = {settings.asset!r}: {error}") from None
    check_relation_heads(hidden, params.distill.relation_heads, "teacher")
    processes = resolve_processes(settings.processes, "teacher.processes")
    plain = processes == settings.accumulation == 1 and settings.zero.stage == 0 and not settings.checkpointing
    train = read_labelled(task, TRAIN, tokenizer, settings.max_length)
    measure = measure_of(task, about, tokenizer, settings.max_length, best_device())
    make_model = partial(load_classifier, pretrained, about.outputs, settings.seed, regression=about.regression)
    epochs = settings.epochs_of(task)
    inputs = [settings.model_dump(exclude=WHERE | TRIED), epochs, about.model_dump(), plain]
    work = CACHE / "teacher" / digest(*inputs, hash_folder(pretrained), hash_folder(TASKS / task))
    tried: dict[Path, dict[str, Any]] = {}
    for batch, lr in settings.grid(task).combinations():
        folder = (work / f"batch-{batch}-lr-{lr}").absolute()
        result = folder / "result.json"
        if not result.is_file():
            one = Settings(epochs, batch, lr, settings.warmup, settings.weight_decay, settings.seed)
            name, pad_id = f"teacher, batch {batch}, lr {lr}", tokenizer.pad_token_id
            folder.mkdir(parents=True, exist_ok=True)
            if plain:
                model, log = make_model(), log_to_file(folder / "history.jsonl")
                device, checkpoints = device_for(settings.precision), folder / "checkpoints"
                figures = finetune(
                    model,
                    train,
                    one,
                    measure=measure,
                    pad_id=pad_id,
                    device=device,
                    name=name,
                    log=log,
                    checkpoints=checkpoints,
                )
                model.save_pretrained(folder / "model")
            else:
                from textbook.training.zero import finetune_with_zero

                here = partial(_here, measure)
                work_on = partial(finetune_with_zero, make_model, train, one, settings, here, pad_id, folder)
                steps = epochs * -(-len(train.tokens) // batch)
                figures = run_processes(work_on, processes, name, steps)[0].figures
            write_json(result, {"batch": batch, "lr": lr, **figures})
            shutil.rmtree(folder / "checkpoints")  # three times the model, and twice
        tried[folder] = read_json(result)
    best = max(tried, key=lambda folder: tried[folder][about.metrics[0]])
    figures = {name: value for name, value in tried[best].items() if name not in TRIED}
    with write_aside(MODELS / task / "teacher") as aside:
        shutil.copytree(best / "model", aside)
        tokenizer.save_pretrained(aside)
        shutil.copy(best / "history.jsonl", aside)
        for folder in tried if len(tried) > 1 else ():
            shutil.copy(folder / "history.jsonl", aside / f"history-{folder.name}.jsonl")
        write_json(aside / "result.json", {"runs": [figures], "tried": list(tried.values())})
    shutil.rmtree(work)
    print(f"{task}: teacher's {', '.join(f'{name} {100 * value:.1f}' for name, value in figures.items())}")


def _here(measure: Any, model: nn.Module) -> dict[str, float]:
    """The figures of a model, measured on the device of this process, which need not be that of the first."""
    figures: dict[str, float] = measure(model, device=best_device())
    return figures


if __name__ == "__main__":
    run(teacher)
