"""Reading a byte stream in blocks of whole lines."""

from collections.abc import Iterator
from typing import BinaryIO, Protocol

BLOCK = 4 << 20  # bytes
LONGEST = 256 << 20  # bytes; a longer line is not text and would take too much memory


class Reader(Protocol):
    """A binary stream."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, or none at the end of the stream."""


def read_blocks(stream: Reader, size: int | None = None, block: int = BLOCK) -> Iterator[bytes]:
    """Read the next `size` bytes of a stream (None: all of it) in blocks of about `block` bytes that end at line ends.

    Raises:
        ValueError: a line is longer than `LONGEST`.
    """
    pieces: list[bytes] = []  # of the unfinished line
    pending = 0  # bytes of these pieces
    while data := stream.read(block if size is None else min(block, size)):
        if size is not None:
            size -= len(data)
        end = data.rfind(b"\n") + 1
        if end:
            yield b"".join([*pieces, data[:end]])
            pieces, pending = [], 0
        pieces.append(data[end:])
        pending += len(data) - end
        if pending > LONGEST:
            raise ValueError(f"a line is longer than {LONGEST >> 20} MiB")
    if pending:
        yield b"".join(pieces)


def cut_lines(file: BinaryIO, size: int, step: int) -> list[tuple[int, int]]:
    """Byte ranges of about `step` bytes that cover a file of `size` bytes; each starts at the start of a line."""
    starts = [0]
    for offset in range(step, size, step):
        if offset > starts[-1]:
            start = _next_line(file, offset)
            if starts[-1] < start < size:
                starts.append(start)
    return list(zip(starts, [*starts[1:], size], strict=True))


def _next_line(file: BinaryIO, offset: int) -> int:
    """The position of the first line that starts at `offset` or later; the end of the file if there is none."""
    file.seek(offset - 1)
    while data := file.read(BLOCK):
        if (newline := data.find(b"\n")) >= 0:
            return file.tell() - len(data) + newline + 1
    return file.tell()
