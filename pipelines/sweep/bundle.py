"""`make bundle`: write what a part of the grid needs into an archive, to make its cells on another machine."""

import re
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli import run
from pipelines.sweep.grid import choose_cells
from pipelines.sweep.plan import cell_folder, is_done, make_artefacts, params_by_task
from textbook.errors import UserError
from textbook.params import Params

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
    from pipelines.sweep.pack import pack  # with PyTorch and transformers, which an error need not wait for

    parts = pack(params.sweep, task_params, todo, out, part_bytes)
    size = sum(part.stat().st_size for part in parts) / 1e6
    done = f" ({len(cells) - len(todo)} are done already)" if len(todo) < len(cells) else ""
    print(f"{out}: a bundle of {len(todo)} cells{done}, {size:,.1f} MB in {len(parts)} parts")


def _bytes(word: str) -> int:
    """The bytes of a size such as `60M`."""
    match = re.fullmatch(r"(\d+)([KMG])", word)
    if not match or not int(match[1]):
        raise UserError(f"SPLIT = {word}: must be a size such as 60M; the unit is K, M or G")
    return int(match[1]) * _UNITS[match[2]]


if __name__ == "__main__":
    run(main)
