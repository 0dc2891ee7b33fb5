"""System calls that Python has no function for: exchange two paths, and flush a file or a whole file system."""

import ctypes
import errno
import os
from pathlib import Path

_HERE = -100  # AT_FDCWD: paths are relative to the working folder
_EXCHANGE = 2  # RENAME_EXCHANGE


def exchange(first: Path, second: Path) -> bool:
    """Exchange two files or folders atomically. False, with nothing changed, if the system cannot do that."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None)  # Linux; not every file system supports it
    return rename is not None and rename(_HERE, os.fsencode(first), _HERE, os.fsencode(second), _EXCHANGE) == 0


def flush(path: Path) -> None:
    """Wait until a file, or a folder with all that is in it, is on the disk.

    For a folder its whole file system is flushed: one call for each of 30,000 files would take seconds.

    Raises:
        OSError: the disk is full or broken.
    """
    if not path.is_dir():
        return _flush_open(path)
    sync = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if sync is None:
        return os.sync()
    handle = os.open(path, os.O_RDONLY)
    try:
        if sync(handle):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    finally:
        os.close(handle)


def flush_names(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, after something in it was renamed."""
    try:
        _flush_open(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot flush a folder
            raise


def _flush_open(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
