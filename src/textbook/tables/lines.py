"""Reading a byte stream in blocks of whole lines, as bytes or as text."""

from collections.abc import Iterator
from typing import BinaryIO, Protocol

BLOCK = 4 << 20  # bytes
LONGEST = 256 << 20  # bytes; a longer line is not text and would take too much memory


class Reader(Protocol):
    """A binary stream."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, or none at the end of the stream."""


class LineError(ValueError):
    """A line that cannot be read.

    `line` is its number, counted from 1, and `row` that of its row, counted from 0, if it is known. Both count from the
    first line that was read.
    """

    def __init__(self, line: int, problem: str, row: int | None = None) -> None:
        super().__init__(problem)
        self.line, self.row = line, row


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


def read_lines(stream: Reader, size: int | None = None, *, ends: bool = False) -> Iterator[list[str]]:
    r"""Read the next `size` bytes of a stream (None: all of it) as lists of lines, without a byte order mark.

    Args:
        ends: keep the end of each line, `\n` or `\r\n`.

    Raises:
        LineError: a line is not UTF-8, or has a NUL byte. The lines before it were given.
        ValueError: a line is longer than `LONGEST`.
    """
    count = 0
    for block in read_blocks(stream, size):
        text, problem = _decode(block)
        if count == 0:
            text = text.removeprefix("\ufeff")
        if text:
            lines = text.removesuffix("\n").split("\n")
            count += len(lines)
            if ends:
                yield [*(f"{line}\n" for line in lines[:-1]), lines[-1] + "\n" * text.endswith("\n")]
            else:
                yield [line.removesuffix("\r") for line in lines] if "\r" in text else lines
        if problem:
            raise LineError(count + 1, problem)


def _decode(block: bytes) -> tuple[str, str]:
    """The text of a block up to the first line that is no text, and what is wrong with this line."""
    problem = ""
    stop = block.find(b"\0")
    if stop >= 0:
        problem = "has a NUL byte; it must be text in UTF-8"
        block = block[: block.rfind(b"\n", 0, stop) + 1]
    try:
        return block.decode(), problem
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 (byte 0x{block[error.start]:02x}); save the file as UTF-8"
        return block[: block.rfind(b"\n", 0, error.start) + 1].decode(), problem


def cut_lines(file: BinaryIO, size: int, step: int) -> list[tuple[int, int]]:
    """Byte ranges of about `step` bytes that cover a file of `size` bytes; each starts at the start of a line."""
    starts = [0]
    for offset in range(step, size, step):
        if offset > starts[-1]:
            start = _next_line(file, offset)
            if starts[-1] < start < size:
                starts.append(start)
    return list(zip(starts, [*starts[1:], size], strict=True))


def count_lines(file: BinaryIO, size: int) -> int:
    """The number of lines that end within the first `size` bytes of a file."""
    file.seek(0)
    return sum(block.count(b"\n") for block in read_blocks(file, size))


def _next_line(file: BinaryIO, offset: int) -> int:
    """The position of the first line that starts at `offset` or later; the end of the file if there is none."""
    file.seek(offset - 1)
    while data := file.read(BLOCK):
        if (newline := data.find(b"\n")) >= 0:
            return file.tell() - len(data) + newline + 1
    return file.tell()
