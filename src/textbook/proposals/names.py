"""The name of a new task."""

import os
import re
import unicodedata
from pathlib import Path

from textbook.errors import UserError
from textbook.params import Params
from textbook.proposals.task_files import names_a_split

_VALID = re.compile("[a-z][a-z0-9_]{0,59}")
_RULE = "must start with a lower-case letter and have only lower-case letters, digits and _, at most 60"
_NO_NAMES = ("all", "data", "dataset")


def choose_name(path: Path, root: Path, chosen: str, params: Params, *, new_asset: bool) -> str:
    """The name of a new task: the user's, or one made from that of the file or the folder.

    Args:
        path: what the user has named.
        root: the file or folder of the asset.
        new_asset: whether an asset of the same name is needed too.

    Raises:
        UserError: the name is not valid, or taken.
    """
    name = chosen or _name_of(path, root)
    if not _VALID.fullmatch(name):
        raise UserError(f"NAME = {name!r}: {_RULE}" if chosen else f"{path}: gives no name to the task; say NAME=…")
    taken = "a task" if name in params.tasks else "an asset" if new_asset and name in params.assets.names() else None
    if taken:
        raise UserError(f"NAME = {name!r}: params.yaml has {taken} of this name; choose another: NAME=…")
    return name


def _name_of(path: Path, root: Path) -> str:
    """A name made from that of a file, or of its folder if the file is called `train` or the like."""
    absolute = Path(os.path.abspath(path))
    stem = absolute.name if path.is_dir() else absolute.name.split(".")[0]
    if not path.is_dir() and (root.is_dir() or names_a_split(path) or stem.lower() in _NO_NAMES):
        stem = absolute.parent.name
    letters = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", letters).lstrip("0123456789_").rstrip("_")[:60]
