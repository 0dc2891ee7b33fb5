"""What a bundle contains: `bundle.json` with its cells and their settings, and the hash of every other file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, cast

from textbook.bundle.archive import VERSION
from textbook.cells.cell import Cell
from textbook.cells.job import CellInputs, CellJob
from textbook.errors import UserError
from textbook.files import read_json, sha256
from textbook.settings import Settings
from textbook.training.engine.tokens import open_tokens

CONTENTS = "bundle.json"
CELLS, RESULTS = "cells", "results"
"""Folders of an unpacked bundle: of cells that are not finished, and of those that are."""
_SECTIONS = ("task", "student", "distill", "adapt")


@dataclass(frozen=True)
class Bundle:
    """An unpacked bundle whose files are whole."""

    folder: Path
    key: str
    """The SHA-256 of its `bundle.json`."""
    jobs: Sequence[CellJob]
    """Its cells, in the order in which they are to be made."""
    cohort: int
    """The most students that are distilled together."""
    threads: int
    """Number of threads of PyTorch on a CPU. It decides results in the last bits."""


def describe(jobs: Sequence[CellJob], paths: Mapping[Path, str], hashes: Mapping[str, str], **settings: int) -> Any:
    """The content of `bundle.json`.

    Args:
        jobs: with tasks that name their classes, and parameters that pydantic has read.
        paths: where each folder of their inputs is in the bundle. Those of textbooks are folders of tokens.
        hashes: the hash of each file by its path in the bundle.
        settings: the other fields of `Bundle`.
    """

    def entry(job: CellJob) -> dict[str, Any]:
        inputs = job.inputs
        return {
            "cell": asdict(job.cell),
            "key": job.folder.name,
            **{name: getattr(job, name).model_dump() for name in _SECTIONS},
            "outputs": job.task.outputs,
            "regression": job.task.regression,
            "inputs": {
                "data": paths[inputs.data],
                "task_teacher": paths[inputs.task_teacher],
                "teacher": paths[inputs.teacher],
                "init": inputs.init and paths[inputs.init],
                "books": [paths[cast(Path, open_book().folder)] for open_book in inputs.books],
            },
        }

    return {"version": VERSION, **settings, "cells": list(map(entry, jobs)), "files": dict(hashes)}


def read_bundle(folder: Path) -> Bundle:
    """Read an unpacked bundle, and check all of its files.

    Raises:
        UserError: it is no bundle, is of another version, or a file is missing or has changed.
    """
    path = folder / CONTENTS
    if not path.is_file():
        raise UserError(f"{path}: is missing; {folder} must be a folder with an unpacked bundle")
    content = read_json(path)
    version = content.get("version") if isinstance(content, dict) else None
    if version != VERSION:
        raise UserError(f"{path}: is of version {version} of bundles; this code reads version {VERSION}")
    for name, digest in content["files"].items():
        file = folder / _inside(name)
        if not file.is_file() or sha256(file) != digest:
            raise UserError(f"{file}: is missing or has changed; unpack the bundle again")
    jobs = [_read_job(folder, entry) for entry in content["cells"]]
    folders = {job.cell: job.folder for job in jobs}
    jobs = [replace(job, first=folders.get(job.cell.first)) if job.cell.first != job.cell else job for job in jobs]
    return Bundle(folder, sha256(path), jobs, content["cohort"], content["threads"])


def _read_job(folder: Path, entry: Mapping[str, Any]) -> CellJob:
    cell, inputs = Cell(**entry["cell"]), entry["inputs"]
    task, student, distill, adapt = (Settings(entry[name]) for name in _SECTIONS)
    task = task.model_copy(update={name: entry[name] for name in ("outputs", "regression")})
    data, task_teacher, teacher = (folder / _inside(inputs[name]) for name in ("data", "task_teacher", "teacher"))
    return CellJob(
        cell,
        folder / CELLS / _inside(f"{cell.slug}/{entry['key']}"),
        cast(Any, task),
        cast(Any, student),
        cast(Any, distill),
        cast(Any, adapt),
        CellInputs(
            data,
            task_teacher,
            teacher,
            folder / _inside(inputs["init"]) if inputs["init"] else None,
            [partial(open_tokens, folder / _inside(name)) for name in inputs["books"]],
        ),
    )


def _inside(name: str) -> str:
    """A path below the bundle's folder.

    Raises:
        UserError: it leads out of it.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise UserError(f"{CONTENTS}: {name}: must be a path in the bundle")
    return name
