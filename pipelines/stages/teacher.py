"""Stage `teacher@task`: fine-tune the teacher on the task, once for each batch size and learning rate to try."""

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn
from transformers import PreTrainedTokenizerBase

from pipelines.cli import run
from pipelines.paths import ASSETS, TASKS, teacher_folder
from pipelines.work import work_folder
from textbook.assets.manifest import locate
from textbook.errors import UserError
from textbook.evaluation.metrics import measure_classifier, read_predicted, read_validation
from textbook.evaluation.predictions import write_predictions
from textbook.files import atomic_write, copy_folder, hash_folder, read_json, remove, write_json
from textbook.models.classifier import load_classifier, read_classifier
from textbook.models.encoder import check_relation_heads, check_supported, load_config, load_tokenizer
from textbook.params import FineTuning, Params, Task, Teacher
from textbook.tasks.splits import TRAIN, with_classes
from textbook.training.distributed.ray_workers import resolve_processes, run_processes
from textbook.training.engine.checks import check_readable
from textbook.training.engine.device import best_device, device_for
from textbook.training.engine.log import log_to_file
from textbook.training.finetuning.finetune import finetune
from textbook.training.finetuning.labelled import Labelled, read_labelled
from textbook.training.finetuning.predict import Measure, predict

WHERE = {"processes", "zero", "accumulation", "checkpointing"}  # decide how training is computed, not its result
TRIED = {"batch", "lr", "epochs", "tasks"}  # parameters that differ between trials


@dataclass(frozen=True)
class _Job:
    """The settings and data that all trials share."""

    settings: Teacher
    about: Task
    pretrained: Path
    tokenizer: PreTrainedTokenizerBase
    processes: int
    train: Labelled
    measure: Measure
    predicted: dict[str, Labelled]
    """What the finished teacher predicts, by the name of the file with its predictions."""

    @property
    def plain(self) -> bool:
        """Whether a training loop in this process suffices, without DeepSpeed."""
        settings = self.settings
        return self.processes == settings.accumulation == 1 and settings.zero.stage == 0 and not settings.checkpointing


def main(params: Params, task: str) -> None:
    """Write the best teacher as a Hugging Face folder, with its history and the metrics of every trial.

    A killed training resumes from its last checkpoint, also with another ZeRO stage or number of processes.
    """
    job = _prepare(params, task)
    settings, metric = job.settings, job.about.metrics[0]
    inputs = [settings.model_dump(exclude=WHERE | TRIED), job.about.model_dump(), job.plain]
    work = work_folder(f"teacher@{task}", inputs, hash_folder(job.pretrained), hash_folder(TASKS / task))
    tried: dict[Path, dict[str, Any]] = {}
    for trial in settings.trials(task):
        folder = (work / f"epochs-{trial.epochs}-batch-{trial.batch}-lr-{trial.lr}").absolute()
        result = folder / "result.json"
        if not result.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            metrics = _train(job, trial, folder) if job.plain else _train_with_zero(job, trial, folder)
            write_json(result, {"batch": trial.batch, "lr": trial.lr, **metrics})
            remove(folder / "checkpoints")  # two checkpoints, each three times the size of the model
        tried[folder] = read_json(result)
    best = max(tried, key=lambda folder: tried[folder][metric])
    metrics = {name: value for name, value in tried[best].items() if name not in TRIED}
    with atomic_write(teacher_folder(task)) as temporary:
        copy_folder(best / "model", temporary)
        job.tokenizer.save_pretrained(temporary)
        shutil.copy(best / "history.jsonl", temporary)
        _write_predictions(job, temporary)
        for folder in tried if len(tried) > 1 else ():
            shutil.copy(folder / "history.jsonl", temporary / f"history-{folder.name}.jsonl")
        write_json(temporary / "result.json", {"runs": [metrics], "tried": list(tried.values())})
    remove(work)
    print(f"{task}: teacher: {', '.join(f'{name} {100 * value:.1f}' for name, value in metrics.items())}")


def _prepare(params: Params, task: str) -> _Job:
    """Load the settings and data that all trials share.

    Raises:
        UserError: the asset is not a supported encoder or cannot read the task's texts, the relation heads do not
            divide its hidden size, or there are fewer devices than processes.
    """
    settings, about = params.teacher, with_classes(params.task(task), TASKS / task)
    pretrained = locate(ASSETS / settings.asset).absolute()
    try:
        config, tokenizer = load_config(pretrained), load_tokenizer(pretrained)
        check_supported(config)
    except UserError as error:
        raise UserError(f"teacher.asset = {settings.asset!r}: {error}") from None
    check_relation_heads(config.hidden_size, params.distill.relation_heads, "teacher")
    processes = resolve_processes(settings.processes, "teacher.processes")
    pad_id = tokenizer.pad_token_id
    train = read_labelled(TASKS / task, TRAIN, tokenizer, settings.max_length)
    validation = read_validation(TASKS / task, tokenizer, settings.max_length)
    predicted = read_predicted(TASKS / task, tokenizer, settings.max_length, validation)
    for rows in (train, *validation.values(), *predicted.values()):  # here, where it takes no weights and no process
        check_readable(config, rows.tokens, pad_id, whose="teacher", section="teacher")
    measure = partial(measure_classifier, splits=validation, metrics=about.metrics, pad_id=pad_id, device=best_device())
    return _Job(settings, about, pretrained, tokenizer, processes, train, measure, predicted)


def _write_predictions(job: _Job, folder: Path) -> None:
    """Write the predictions of the finished teacher: on validation data, for paired comparisons, and on test data."""
    model = read_classifier(folder)
    for name, rows in job.predicted.items():
        outputs = predict(model, rows.tokens, pad_id=job.tokenizer.pad_token_id, device=best_device())
        write_predictions(folder / name, rows.labels, {job.settings.seed: outputs})


def _train(job: _Job, trial: FineTuning, folder: Path) -> dict[str, float]:
    """Train in this process; `folder` gets the history and the model."""
    seed = job.settings.seed
    model = load_classifier(job.pretrained, job.about.outputs, seed, regression=job.about.regression)
    metrics = finetune(
        model,
        job.train,
        trial,
        seed,
        measure=job.measure,
        pad_id=job.tokenizer.pad_token_id,
        device=device_for(job.settings.precision),
        name=_label(trial),
        section="teacher",
        log=log_to_file(folder / "history.jsonl"),
        checkpoints=folder / "checkpoints",
    )
    model.save_pretrained(folder / "model")
    return metrics


def _train_with_zero(job: _Job, trial: FineTuning, folder: Path) -> dict[str, float]:
    """Train in processes that Ray starts; `folder` gets the history and the model."""
    from textbook.training.distributed.deepspeed_finetune import finetune_with_zero

    seed = job.settings.seed
    work = partial(
        finetune_with_zero,
        partial(load_classifier, job.pretrained, job.about.outputs, seed, regression=job.about.regression),
        job.train,
        trial,
        seed,
        job.settings,
        partial(_measure_here, job.measure),
        job.tokenizer.pad_token_id,
        folder,
    )
    steps = trial.epochs * -(-len(job.train.tokens) // trial.batch)
    return run_processes(work, job.processes, _label(trial), steps)[0].metrics


def _label(trial: FineTuning) -> str:
    return f"teacher, batch {trial.batch}, lr {trial.lr}"


def _measure_here(measure: Any, model: nn.Module) -> dict[str, float]:
    """The metrics of a model, measured on this process's device."""
    metrics: dict[str, float] = measure(model, device=best_device())
    return metrics


if __name__ == "__main__":
    run(main)
