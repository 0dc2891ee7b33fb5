"""Hashes of files that are remembered, so that a large folder is not read again while nothing in it changes."""

from pathlib import Path
from typing import Any

from textbook.assets.walk import walk_files
from textbook.files import read_json, sha256, write_json


def hash_changed_files(root: Path, memo: Path) -> dict[str, str]:
    """The hash of each file in a folder by its path below it.

    As git and DVC do, it takes a file for unchanged whose size and time of change are the same.

    Args:
        memo: where hashes are remembered; written if it does not exist.

    Raises:
        UserError: a link is broken, or a folder cannot be read.
    """
    known = read_json(memo) if memo.is_file() else {}
    entries: dict[str, Any] = {}
    for path in walk_files(root):
        name, status = str(path.relative_to(root)), path.stat()
        stamp = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
        entry = known.get(name)
        entries[name] = entry if entry and entry[:3] == stamp else [*stamp, sha256(path)]
    write_json(memo, entries)
    return {name: str(entry[3]) for name, entry in entries.items()}
