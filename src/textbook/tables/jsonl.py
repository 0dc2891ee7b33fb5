"""Reading JSONL: one JSON object per line."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from textbook.errors import UserError
from textbook.tables.blocks import BLOCK_ROWS, Block, list_columns
from textbook.tables.lines import LineError, Reader, read_lines


def read_jsonl(path: str, stream: Reader, size: int | None, columns: Sequence[str]) -> Iterator[Block]:
    """Read the values of the named keys; a key that an object lacks has the value None. Empty lines are left out.

    Other keys don't matter: they may be missing, occur twice, or have values of different types.

    Raises:
        LineError: a line is not a JSON object, or has a named key twice.
        UserError: the file is empty, or no object in it has one of the keys.
    """
    missing, keys = set(columns), dict[str, None]()
    first = 1
    rows = 0
    for lines in read_lines(stream, size):
        for start in range(0, len(lines), BLOCK_ROWS):
            batch = [(first + start + n, line) for n, line in enumerate(lines[start : start + BLOCK_ROWS])]
            batch = [(number, line) for number, line in batch if line.strip()]
            objects = [_parse_object(line, columns, number, rows + row) for row, (number, line) in enumerate(batch)]
            numbers = [number for number, _ in batch]
            if objects:
                missing = {name for name in missing if not any(name in row for row in objects)}
                keys.update(dict.fromkeys(list(objects[0])[:20]))
                values = {name: [row.get(name) for row in objects] for name in columns}
                yield Block(values, rows, numbers)
                rows += len(objects)
        first += len(lines)
    if not rows:
        raise UserError(f"{path}: is empty")
    if missing:
        raise UserError(f"{path}: has no column {min(missing)!r}; it has {list_columns(list(keys))}")


def _parse_object(line: str, columns: Sequence[str], number: int, row_number: int) -> dict[str, Any]:
    """One line as an object."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        row = _parse_leniently(line, columns)
        if row is None:
            problem = f"is not JSON ({error.msg}, column {error.colno})"
            raise LineError(number, problem, row_number) from None
    if not isinstance(row, dict):
        kind = {list: "an array", str: "a string", type(None): "null"}.get(type(row), "a single value")
        remedy = "; write one object per line: jq -c '.[]' FILE" if isinstance(row, list) else ""
        raise LineError(number, f"is {kind}, not a JSON object{remedy}", row_number)
    for name in columns:
        if line.count(f'"{name}"') > 1:  # a rare case, so the slow check is affordable
            pairs = json.loads(line, object_pairs_hook=list)
            if [key for key, _ in pairs].count(name) > 1:
                raise LineError(number, f"has the key {name!r} twice", row_number)
    return row


def _parse_leniently(line: str, columns: Sequence[str]) -> Any:
    """The value of a line that only Python takes for JSON: with NaN, or with half a character in another column.

    None if the line is no JSON, or the named columns have half a character.
    """
    try:
        row = json.loads(line)
        for name in columns if isinstance(row, dict) else ():
            str(row.get(name)).encode()
    except (ValueError, RecursionError):
        return None
    return row
