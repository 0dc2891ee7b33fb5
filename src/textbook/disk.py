"""What Python leaves to the system: exchanging two paths, flushing to disk, and telling that the disk is full."""

import ctypes
import errno
import os
import re
from pathlib import Path

_HERE = -100  # AT_FDCWD: paths are relative to the working folder
_EXCHANGE = 2  # RENAME_EXCHANGE
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_TEXT = re.compile(  # of libraries that give the number only in their text, or not at all
    rf"(errno|os error) ({'|'.join(map(str, _FULL))})\b|no space left on device|database or disk is full"
    r"|PytorchStreamWriter failed|inline_container\.cc:\d+\] \. unexpected pos",
    re.IGNORECASE,
)
_SHORT_WRITE = re.compile(r"\d+ requested and \d+ written")  # NumPy


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


def is_disk_full(error: BaseException) -> bool:
    """Whether an error says, in its number, its text or its cause, that the disk or the user's quota is full."""
    text = str(error)
    if isinstance(error, OSError) and (error.errno in _FULL or _SHORT_WRITE.fullmatch(text)):
        return True
    return bool(_FULL_TEXT.search(text)) or (error.__cause__ is not None and is_disk_full(error.__cause__))
