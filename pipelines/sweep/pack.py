"""What goes into a bundle: cells with their settings, the files that they read, and the library itself."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import textbook
from pipelines.paths import CACHE
from pipelines.sweep.cohort import cell_job
from pipelines.sweep.verify import check_inputs
from textbook.assets.walk import walk_files
from textbook.bundle.archive import write_archive
from textbook.bundle.contents import CONTENTS, describe
from textbook.cells.cell import Cell
from textbook.cells.job import CellJob
from textbook.files import digest, sha256, write_json
from textbook.models.folders import READ, model_folder
from textbook.params import Params, Sweep
from textbook.tasks.splits import with_classes

NEEDED = ("torch", "transformers", "numpy", "pyarrow", "safetensors", "scikit-learn", "scipy")
"""The packages that a bundle needs, besides those that they need themselves."""
_GENERAL = "inputs/general-teachers"


def pack(
    sweep: Sweep, task_params: Mapping[str, Params], todo: Mapping[Cell, Path], out: Path, part_bytes: int | None
) -> list[Path]:
    """Write cells and their inputs into an archive, or into parts of it.

    Args:
        task_params: those of each task's cells.
        todo: the folder of each cell.
        part_bytes: the size of a part; None for a single file.

    Returns:
        The files of the archive.

    Raises:
        UserError: an input of a cell is not as DVC made it.
    """
    jobs = []
    for cell, folder in todo.items():
        check_inputs(task_params[cell.task], cell, folder)
        job = cell_job(task_params[cell.task], cell, folder)
        jobs.append(replace(job, task=with_classes(job.task, job.inputs.data)))
    paths = _paths(jobs)
    files = {**_library(), **dict(_files(paths))}
    hashes = {name: sha256(path) for name, path in files.items()}
    contents = CACHE / CONTENTS
    write_json(contents, describe(jobs, paths, hashes, cohort=sweep.cohort, threads=max(1, int(sweep.cpus))))
    return write_archive({CONTENTS: contents, **files}, out, part_bytes)


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
