"""`make bundle`: write what a part of the grid needs into an archive, to make its cells on another machine."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

import textbook
from pipelines.cli import run
from pipelines.paths import CACHE
from pipelines.sweep.cohort import cell_job
from pipelines.sweep.grid import choose_cells
from pipelines.sweep.plan import cell_folder, is_done, make_artefacts, params_by_task
from pipelines.sweep.verify import check_inputs
from textbook.assets.walk import walk_files
from textbook.bundle.archive import write_archive
from textbook.bundle.contents import CONTENTS, describe
from textbook.cells.job import CellJob
from textbook.errors import UserError
from textbook.files import digest, sha256, write_json
from textbook.models.folders import READ, model_folder
from textbook.params import Params
from textbook.tasks.splits import with_classes

NEEDED = ("torch", "transformers", "numpy", "pyarrow", "safetensors", "scikit-learn", "scipy")
"""The packages that a bundle needs, besides those that they need themselves."""
_GENERAL = "inputs/general-teachers"
_UNITS = {"K": 10**3, "M": 10**6, "G": 10**9}


def main(
    params: Params,
    words: Annotated[list[str] | None, typer.Argument(metavar="AXIS=VALUE,…")] = None,
    out: Path = Path("bundle"),
    split: str = "",
) -> None:
    """Write the cells of the grid that are not done, or those of the part chosen by AXIS=VALUE,…, into a bundle.

    DVC updates the inputs of the cells first, the teachers included.
    """
    part_bytes = _bytes(split) if split else None
    cells = choose_cells(params, words or [])
    task_params = params_by_task(params)
    make_artefacts(params, cells)
    folders = {cell: cell_folder(task_params[cell.task], cell) for cell in cells}
    todo = {cell: folder for cell, folder in folders.items() if not is_done(folder)}
    if not todo:
        raise UserError(f"SWEEP: all {len(cells)} cells are done already, so a bundle would have none")
    jobs = []
    for cell, folder in todo.items():
        check_inputs(task_params[cell.task], cell, folder)
        job = cell_job(task_params[cell.task], cell, folder)
        jobs.append(replace(job, task=with_classes(job.task, job.inputs.data)))
    paths = _paths(jobs)
    files = {**_library(), **dict(_files(paths))}
    hashes = {name: sha256(path) for name, path in files.items()}
    threads = max(1, int(params.sweep.cpus))
    contents = CACHE / CONTENTS
    write_json(contents, describe(jobs, paths, hashes, cohort=params.sweep.cohort, threads=threads))
    parts = write_archive({CONTENTS: contents, **files}, out, part_bytes)
    size = sum(part.stat().st_size for part in parts) / 1e6
    done = f" ({len(cells) - len(todo)} are done already)" if len(todo) < len(cells) else ""
    print(f"{out}: a bundle of {len(todo)} cells{done}, {size:,.1f} MB in {len(parts)} parts")


def _bytes(word: str) -> int:
    """The bytes of a size such as `60M`."""
    match = re.fullmatch(r"(\d+)([KMG])", word)
    if not match or not int(match[1]):
        raise UserError(f"SPLIT = {word}: must be a size such as 60M; the unit is K, M or G")
    return int(match[1]) * _UNITS[match[2]]


def _paths(jobs: Iterable[CellJob]) -> dict[Path, str]:
    """Where each folder of the inputs is in the bundle."""
    paths: dict[Path, str] = {}
    for job in jobs:
        inputs, cell = job.inputs, job.cell
        if cell.teacher == "general":  # each task may have another one
            paths[inputs.teacher] = f"{_GENERAL}/{digest(str(inputs.teacher))}"
        paths[inputs.task_teacher] = f"inputs/teachers/{cell.task}"
        paths[inputs.data] = f"inputs/tasks/{cell.task}"
        if inputs.init:
            paths[inputs.init] = f"inputs/init/{cell.init}"
        for open_book in inputs.books:
            tokens = open_book().folder
            assert tokens, "a textbook is in files"
            paths[tokens] = f"inputs/tokens/{tokens.name}"
    return paths


def _files(paths: Mapping[Path, str]) -> Iterable[tuple[str, Path]]:
    """The files of the inputs, by their paths in the bundle."""
    for folder, name in paths.items():
        if name.startswith(_GENERAL):  # a folder of the user's, which may have the weights in other forms too
            root = model_folder(folder)
            files = [path for path in walk_files(root) if path.parent == root and path.suffix in READ]
        else:
            root, files = folder, walk_files(folder)
        for path in files:
            yield f"{name}/{path.relative_to(root).as_posix()}", path


def _library() -> dict[str, Path]:
    """The source of the library, and a list of the packages that it needs, by their paths in the bundle."""
    root = Path(textbook.__path__[0])
    needed = CACHE / "requirements.txt"
    needed.parent.mkdir(exist_ok=True)
    lines = (f"{name}=={version(name).partition('+')[0]}\n" for name in NEEDED)
    needed.write_text("".join(lines))
    sources = {f"textbook/{path.relative_to(root).as_posix()}": path for path in sorted(root.rglob("*.py"))}
    return {"requirements.txt": needed, **sources}


if __name__ == "__main__":
    run(main)
