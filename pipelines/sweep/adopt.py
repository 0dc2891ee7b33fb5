"""`make adopt`: take in cells that were made from a bundle on another machine, as if they had been made here."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pipelines.cli import run
from pipelines.paths import CACHE
from pipelines.sweep.ending import close_sweep, other_cells
from pipelines.sweep.grid import all_cells
from pipelines.sweep.plan import cell_folder, is_done, params_by_task, stale_cells
from textbook.bundle.archive import extract
from textbook.bundle.origin import ORIGIN, read_origin
from textbook.cells.cell import Cell
from textbook.cells.folder import locked
from textbook.errors import UserError
from textbook.files import atomic_write, copy_folder, digest, remove
from textbook.params import Params
from tracking.store import connect
from tracking.sweeps import start_sweep


def main(params: Params, results: Path) -> None:
    """Check the cells in RESULTS, a folder or a tar file, add those that are not here yet, and write the tables.

    Nothing is taken in if anything in RESULTS is wrong.
    """
    task_params = params_by_task(params)
    with _opened(results) as root:
        sources = {}
        for origin in sorted(root.rglob(ORIGIN)):
            cell, key = read_origin(origin.parent)
            sources[cell] = origin.parent
            _check_key(params, task_params, cell, key, origin)
        if not sources:
            raise UserError(f"{results}: has no finished cells of a bundle")
        if stale := stale_cells(list(sources)):
            raise UserError(
                f"{results}: {min(map(str, stale))}: its inputs here were made with earlier parameters, data or code;"
                " run `dvc repro`, or go back to those of the bundle"
            )
        folders = {cell: cell_folder(task_params[cell.task], cell) for cell in sources}
        client = connect()  # fails if the server cannot be reached, before anything is taken in
        taken = sum(_take(sources[cell], folder) for cell, folder in folders.items())
    print(f"{len(folders)} cells, {taken} taken in, {len(folders) - taken} already here", flush=True)
    others = other_cells(params, task_params, folders)
    key = digest(*(folder.name for folder in folders.values()))
    sweep = start_sweep(client, params.tracking.experiment, f"adoption of {len(folders)} cells", key, {})
    close_sweep(params, task_params, folders, others, client, sweep)


@contextmanager
def _opened(results: Path) -> Iterator[Path]:
    """A folder with the results; that of a tar file is removed afterwards."""
    if results.is_dir():
        yield results
        return
    if not results.is_file():
        raise UserError(f"RESULTS = {results}: must be a folder or a tar file with the results of a bundle")
    folder = CACHE / "adopt"
    remove(folder)
    folder.mkdir(parents=True)
    try:
        with results.open("rb") as file:
            extract(file, folder, results)
        yield folder
    finally:
        remove(folder)


def _check_key(params: Params, task_params: Mapping[str, Params], cell: Cell, key: str, origin: Path) -> None:
    """Check that a cell is one of the grid, and was made from the present inputs by the present code."""
    if cell not in all_cells(params):
        raise UserError(f"{origin}: {cell} is not in the grid of params.yaml (section sweep)")
    try:
        present = cell_folder(task_params[cell.task], cell).name
    except KeyError as error:
        raise UserError(f"{origin}: {cell}: its input {error} does not exist here; run `dvc repro`") from None
    if key != present:
        raise UserError(
            f"{origin}: {cell} was made from other inputs, parameters or code than those that are here now; go back to"
            " those of the bundle, or make a new bundle"
        )


def _take(source: Path, folder: Path) -> bool:
    """Copy a cell into its folder, and return whether it was not done there."""
    with locked(folder):
        if is_done(folder):
            return False
        with atomic_write(folder) as temporary:
            copy_folder(source, temporary)
        return True


if __name__ == "__main__":
    run(main)
