"""A cell of the grid: one student, from its init, teacher and textbook to its scores on its task."""

import fcntl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipelines.adapt import adapt_from
from pipelines.distill import teach, teacher_folder
from pipelines.stage import ASSETS, DATA, INIT, MODELS, TASKS, textbook_files
from textbook.evaluation.metrics import STANDARD_ERROR, summarize
from textbook.evaluation.relation_loss import mean_relation_loss
from textbook.files import digest, read_json, remove, sha256, write_json
from textbook.models.encoder import load_config, load_encoder, load_tokenizer, resolve_layer
from textbook.params import Init, Params, TeacherKind, TextbookKind
from textbook.tasks.prepare import TRAIN, read_split, texts
from textbook.training.device import best_device
from textbook.training.log import Log, log_to_file, read_history
from textbook.training.tokens import tokenize
from tracking.lineage import dvc_hashes
from tracking.record import cell_name

CELLS = DATA / "cells"
SNAPSHOTS = "snapshots.jsonl"
Show = Callable[[Path], AbstractContextManager[None]]
RELATION_LOSSES = ("task_relation_loss", "validation_relation_loss")  # on the task's texts of training and validation
PROBE = 1000  # texts of the task on which the relation loss is measured


@dataclass(frozen=True)
class Cell:
    """Where in the grid a student is; `seed` is that of its distillation."""

    task: str
    init: Init
    teacher: TeacherKind
    textbook: TextbookKind
    seed: int
    top_percent: float = 100.0

    def __str__(self) -> str:
        return cell_name(self.task, self.init, self.teacher, self.textbook, self.top_percent)

    def params(self, params: Params) -> Params:
        """The parameters with which the cell is a run of `distill` and `adapt` like any other."""
        place = {name: value for name, value in asdict(self).items() if name != "task"}
        return params.model_copy(update={"distill": params.distill.model_copy(update=place)})

    def artefacts(self, params: Params) -> list[str]:
        """What DVC has to have made for it."""
        teacher = [str(ASSETS / params.teacher.asset)] if self.teacher == "general" else []
        books = [str(path) for path in textbook_files(self.task, self.textbook)]
        return [str(TASKS / self.task), str(MODELS / self.task / "teacher"), str(INIT / self.init), *teacher, *books]

    def inputs(self, params: Params, code: Mapping[str, str]) -> dict[str, Any]:
        """All that decides its result: parameters, code, and the hashes of what DVC made for it.

        Args:
            code: as `code_hashes` gives it.

        Raises:
            KeyError: DVC has not made all of it.
        """
        mine = self.params(params)
        hashes = dvc_hashes(self.artefacts(params))
        return {
            "cell": asdict(self),
            "params": mine.model_dump(include={"student", "distill", "adapt"}),
            "task": params.task(self.task).model_dump(),
            "artefacts": {path: hashes[path] for path in self.artefacts(params)},
            "code": code,
        }


def code_hashes() -> dict[str, str]:
    """The hashes of the source files that decide what a student becomes, as `dvc.yaml` names them, by path."""
    stages = YAML(typ="safe", pure=True).load(Path("dvc.yaml"))["stages"]
    deps = {dep for name in ("distill", "adapt") for dep in stages[name]["do"]["deps"]}
    return {dep: _hash(Path(dep)) for dep in sorted(deps) if dep.startswith(("src/", "pipelines/"))}


def cell_folder(inputs: dict[str, Any]) -> Path:
    """Where the cell with these inputs is made."""
    return CELLS / digest(inputs)


def run_cell(params: Params, cell: Cell, folder: Path, log: Log, show: Show) -> dict[str, Any]:
    """Distil, adapt with every seed and score; gives what is in `result.json`, which appears last.

    Snapshots of the distillation are adapted and scored too; `snapshots.jsonl` has what they came to, by step.

    What is done already is not done again, and a distillation goes on from its last checkpoint. Two processes never
    work on one cell: the second waits, and finds it done.

    Args:
        log: gets the figures of the distillation.
        show: opens what shows its history file elsewhere while it goes on.
    """
    mine = cell.params(params)
    result = folder / "result.json"
    with _alone(folder):
        if result.is_file():
            return dict(read_json(result))
        clock = _Clock(folder / "clock.json")

        @contextmanager
        def live(record: Path) -> Iterator[Log]:
            write_json(record, {"cell": folder.name})

            def timed(step: int, figures: Any) -> None:
                clock.save()
                log(step, figures)

            with show(record.parent / "history.jsonl"):
                yield timed

        if not (folder / "distilled").is_dir():
            teach(mine, cell.task, folder / "distilled", live)
        if not (folder / "student").is_dir():
            adapt_from(mine, cell.task, folder / "distilled", folder / "student")
        _score_snapshots(mine, cell.task, folder)
        scores = summarize(read_json(folder / "student" / "result.json")["runs"])
        figures = {
            **asdict(cell),
            "metric": params.task(cell.task).metrics[0],
            "mean": scores["score"],
            "std": scores["score_std"],
            "standard_error": scores[STANDARD_ERROR],
            "scores": scores,
            "teacher_score": summarize(read_json(MODELS / cell.task / "teacher" / "result.json")["runs"])["score"],
            **_relation_losses(mine, cell.task, folder / "distilled"),
            "seeds": scores["seeds"],
            "steps": mine.distill.steps,
            "batch": mine.distill.batch,
            "device": str(best_device()),
            "seconds": round(clock.seconds(), 1),
        }
        write_json(result, figures)
        return figures


def _score_snapshots(params: Params, task: str, folder: Path) -> None:
    """Adapt and score what was kept on the way; what is done already is not done again."""
    history = folder / SNAPSHOTS
    known = {line["step"] for line in read_history(history)} if history.is_file() else set()
    log = log_to_file(history)
    for snapshot in sorted((folder / "distilled" / "snapshots").glob("*")):
        if int(snapshot.name) not in known:
            adapt_from(params, task, snapshot, folder / "adapted")
            scores = summarize(read_json(folder / "adapted" / "result.json")["runs"])
            figures = {name: scores[name] for name in ("score", "score_std", STANDARD_ERROR)}
            log(int(snapshot.name), {**figures, **_relation_losses(params, task, snapshot)})
    remove(folder / "adapted")


def _relation_losses(params: Params, task: str, distilled: Path) -> dict[str, float]:
    """The relation loss on the task's own texts, against the teacher that taught.

    Those of validation are in no textbook at all; those of training are in the augmented one.
    """
    settings, device = params.distill, best_device()
    teacher = teacher_folder(params, task)
    config, tokenizer = load_config(teacher), load_tokenizer(teacher)
    models = load_encoder(teacher), load_encoder(distilled)
    losses = {}
    for name, split in zip(RELATION_LOSSES, (TRAIN, params.task(task).validation[0]), strict=True):
        probe = read_split(TASKS / task, split).slice(0, PROBE)
        loss = mean_relation_loss(
            *models,
            tokenize(tokenizer, *texts(probe), settings.max_length),
            teacher_layer=resolve_layer(settings.teacher_layer, config.num_hidden_layers, config.model_type),
            student_layer=models[1].config.num_hidden_layers,
            heads=settings.relation_heads,
            pad_id=tokenizer.pad_token_id,
            device=device,
        )
        losses[name] = round(loss, 4)
    return losses


class _Clock:
    """Seconds of work, over all attempts at a cell."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.before = float(read_json(path)["seconds"]) if path.is_file() else 0.0
        self.start = time.monotonic()

    def seconds(self) -> float:
        return self.before + time.monotonic() - self.start

    def save(self) -> None:
        write_json(self.path, {"seconds": self.seconds()})


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a cell; a lock goes with the process that holds it, however that ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _hash(path: Path) -> str:
    return digest(*(sha256(file) for file in sorted(path.rglob("*.py")))) if path.is_dir() else sha256(path)
