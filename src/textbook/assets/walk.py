"""The files of a folder of data, as the user sees them: links keep their own names, hidden files are no data."""

import os
from pathlib import Path

from textbook.errors import UserError
from textbook.files import is_hidden

_POINTER = b"version https://git-lfs.github.com/spec/"


def walk_files(root: Path) -> list[Path]:
    """The file `root`, or all files in the folder `root` and its subfolders, sorted; hidden ones are left out.

    Links to files and folders are followed, and keep the name of the link.

    Raises:
        UserError: a link is broken or leads back to a folder that contains it, or a folder cannot be read.
    """
    if not root.is_dir():
        return [root]
    files: list[Path] = []
    for name, folders, names in os.walk(root, onerror=_refuse, followlinks=True):
        folder = Path(name)
        folders[:] = [one for one in folders if not is_hidden(Path(one))]
        for link in (folder / one for one in folders if (folder / one).is_symlink()):
            if folder.resolve().is_relative_to(link.resolve()):
                raise UserError(f"{link}: is a link to a folder that contains it, {os.readlink(link)}; remove it")
        for path in (folder / one for one in names if not is_hidden(Path(one))):
            check_link(path)
            if path.is_file():
                files.append(path)
    return sorted(files)


def check_link(path: Path) -> None:
    """Check that a path is not a link that leads nowhere.

    Raises:
        UserError: it is.
    """
    if path.is_symlink() and not path.exists():
        raise UserError(f"{path}: is a link to {os.readlink(path)}, which does not exist")


def check_content(path: Path) -> None:
    """Check that a file is not a Git LFS pointer, which a clone has instead of a large file.

    Raises:
        UserError: it is.
    """
    with path.open("rb") as file:
        if file.read(len(_POINTER)) == _POINTER:
            raise UserError(f"{path}: is a Git LFS pointer, not the file itself; run `git lfs pull` in its repository")


def _refuse(error: OSError) -> None:
    raise UserError(f"{error.filename}: {error.strerror}")
