"""Whole lines of a byte stream, a block at a time, however long one of them is."""

from collections.abc import Iterator
from typing import BinaryIO, Protocol

BLOCK = 4 << 20  # bytes
LONGEST = 256 << 20  # bytes; a longer line is no text, and is not worth the memory


class Reader(Protocol):
    """What gives at most so many bytes at a time, and none at its end."""

    def read(self, size: int, /) -> bytes:
        """The next bytes."""


def read_blocks(stream: Reader, size: int | None = None, block: int = BLOCK) -> Iterator[bytes]:
    """The next `size` bytes of a stream (all, if None), cut behind line ends into pieces of about `block` bytes.

    Raises:
        ValueError: a line is longer than `LONGEST`.
    """
    pieces: list[bytes] = []  # of a line that goes on
    held = 0
    while data := stream.read(block if size is None else min(block, size)):
        if size is not None:
            size -= len(data)
        end = data.rfind(b"\n") + 1
        if end:
            yield b"".join([*pieces, data[:end]])
            pieces, held = [], 0
        pieces.append(data[end:])
        held += len(data) - end
        if held > LONGEST:
            raise ValueError(f"a line is longer than {LONGEST >> 20} MiB")
    if held:
        yield b"".join(pieces)


def cut_lines(file: BinaryIO, size: int, step: int) -> list[tuple[int, int]]:
    """Ranges of about `step` bytes that together cover a file of `size` bytes and begin where a line does."""
    starts = [0]
    for offset in range(step, size, step):
        if offset > starts[-1]:
            start = _next_line(file, offset)
            if starts[-1] < start < size:
                starts.append(start)
    return list(zip(starts, [*starts[1:], size], strict=True))


def _next_line(file: BinaryIO, offset: int) -> int:
    """Where the first line begins that begins at `offset` or later; the end of the file if none does."""
    file.seek(offset - 1)
    while data := file.read(BLOCK):
        if (found := data.find(b"\n")) >= 0:
            return file.tell() - len(data) + found + 1
    return file.tell()
