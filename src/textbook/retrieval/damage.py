"""A damaged index is refused in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from textbook.errors import UserError


@contextmanager
def refuse_damage(path: Path) -> Iterator[None]:
    """Turn errors of reading an index, whose files are not checked before, into one line.

    Raises:
        UserError: the block failed; the message names `path`.
    """
    try:
        yield
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UserError(f"{path}: is damaged ({reason}); run `dvc repro --force --single-item index`") from error
