"""Reading CSV and TSV strictly: every row is read as it was written, or the file is refused.

A lenient reader takes a text that begins with a lone quote for a quoted field, and swallows all rows up to the next
quote. Python's `csv` module in strict mode refuses text after a closing quote and a quote that is never closed. One
case remains: the lone quote of one row and the lone quote at the end of a later row look like a field with line breaks.
`textbook.tables.swallowed` tells the two apart.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from textbook.errors import UserError
from textbook.params import Table
from textbook.tables.blocks import BLOCK_ROWS, Block, list_columns, place_of
from textbook.tables.lines import LONGEST, LineError, Reader, read_lines
from textbook.tables.swallowed import Suspects

NO_QUOTES = "none"
ESCAPED = "\ufdd0"  # stands for an escaped quote while a line is parsed; Unicode reserves it for such uses

csv.field_size_limit(LONGEST)


def read_delimited(path: str, stream: Reader, columns: Sequence[str], rules: Table, delimiter: str) -> Iterator[Block]:
    """Read the named columns of a CSV or TSV file; all values are strings.

    Args:
        columns: the names of the columns.
        rules: its keys `delimiter`, `quote` and `escape`.
        delimiter: the delimiter of the format, unless `rules` has another one. With a tab, quotes are ordinary
            characters unless `rules.quote` is set.

    Raises:
        UserError: a column is missing or occurs twice, a row has too many or too few columns, quotes do not match, or
            rows may have been swallowed by a lone quote.
    """
    delimiter = rules.delimiter or delimiter
    quote = rules.quote or (NO_QUOTES if delimiter == "\t" else '"')
    lines = chain.from_iterable(read_lines(stream, ends=True))
    parser = _parser(path, lines, delimiter, quote, rules)
    header, _ = next(parser, ([], 0))
    if header == ["sep=", ""]:  # the first line of Excel's files, `sep=;`
        header, _ = next(parser, ([], 0))
    places = {name: _position(path, header, name, delimiter) for name in columns}
    suspects = Suspects(path, header, columns, delimiter)
    yield Block({name: [] for name in columns})
    rows: list[list[str]] = []
    starts: list[int] = []
    count = 0
    for row, line in _counting_rows(parser):
        if len(row) != len(header):
            raise UserError(_wrong_width(path, place_of(count, line), len(row), len(header), delimiter, quote))
        if quote != NO_QUOTES:
            suspects.look_at(count, line, row)
        rows.append(row)
        starts.append(line)
        count += 1
        if len(rows) == BLOCK_ROWS:
            yield _block(rows, starts, places, count)
            rows, starts = [], []
    if rows:
        yield _block(rows, starts, places, count)
    suspects.close()


def refuse_keys(path: str, rules: Table) -> None:
    """Refuse the keys of delimited files for a table of another kind.

    Raises:
        UserError: one of them is set.
    """
    if rules.delimiter or rules.quote or rules.escape:
        raise UserError(f"{path}: `delimiter`, `quote` and `escape` are for CSV and TSV files; leave them out")


def _counting_rows(parser: Iterator[tuple[list[str], int]]) -> Iterator[tuple[list[str], int]]:
    """The rows of a parser; an error of a line names its row too."""
    count = 0
    try:
        for row in parser:
            yield row
            count += 1
    except LineError as error:
        raise LineError(error.line, str(error), count) from None


def _block(rows: list[list[str]], starts: list[int], places: dict[str, int], count: int) -> Block:
    return Block({name: [row[place] for row in rows] for name, place in places.items()}, count - len(rows), starts)


def _parser(
    path: str, lines: Iterable[str], delimiter: str, quote: str, rules: Table
) -> Iterator[tuple[list[str], int]]:
    """The rows of a file, the header first, each with the line on which it starts. Empty lines are left out."""
    escape = rules.escape
    reader = csv.reader(
        lines if escape is None else (_protect(number, line, escape, quote) for number, line in enumerate(lines, 1)),
        delimiter=delimiter,
        quotechar=None if quote == NO_QUOTES else quote,
        quoting=csv.QUOTE_NONE if quote == NO_QUOTES else csv.QUOTE_MINIMAL,
        strict=True,
    )
    while True:
        start = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            end = f" (up to line {reader.line_num})" if reader.line_num > start else ""
            raise UserError(f"{path}: line {start}{end}: {_explain(str(error), delimiter, quote, escape)}") from None
        if row:
            yield (row if escape is None else [_restore(field, escape, quote) for field in row]), start


def _protect(number: int, line: str, escape: str, quote: str) -> str:
    """Replace the escaped quotes of a line by `ESCAPED`, so that the parser takes them for ordinary characters."""
    if ESCAPED in line:
        raise LineError(number, f"has the character U+{ord(ESCAPED):04X}, which is not text")
    if escape not in line or quote == NO_QUOTES:
        return line
    return (escape * 2).join(piece.replace(escape + quote, ESCAPED) for piece in line.split(escape * 2))


def _restore(field: str, escape: str, quote: str) -> str:
    """Undo `_protect`, and replace an escaped escape character by a single one."""
    return field.replace(escape * 2, escape).replace(ESCAPED, quote)


def _explain(problem: str, delimiter: str, quote: str, escape: str | None) -> str:
    """An error of the parser in the words of the user, with the remedy."""
    remedy = f"; if {quote} is part of the text, double it, or set `quote: {NO_QUOTES}`"
    if "expected after" in problem:
        hint = "" if escape else "; if quotes are escaped as \\" + quote + ", set `escape: '\\'`"
        return f"has text after a closing quote{remedy}{hint}"
    if "unexpected end of data" in problem:
        return f"a quote that opens here is never closed{remedy}"
    if "new-line character" in problem:
        return "has a carriage return inside a field that is not quoted"
    return f"cannot be read with the delimiter {delimiter!r}: {problem}"


def _position(path: str, header: list[str], name: str, delimiter: str) -> int:
    """The position of a column in the header."""
    if header.count(name) > 1:
        raise UserError(f"{path}: has {header.count(name)} columns {name!r}; rename the others: {list_columns(header)}")
    if name in header:
        return header.index(name)
    if not header:
        raise UserError(f"{path}: is empty")
    hint = ""
    if len(header) == 1:
        text = header[0]
        other = text[4:5] if text.startswith("sep=") else next((c for c in ";,\t|" if name in text.split(c)), "")
        if other and text.startswith("sep="):
            hint = f"; its first line is for Excel: remove it, or set `delimiter: {other!r}`"
        elif other:
            hint = f"; its delimiter seems to be {other!r}: set `delimiter: {other!r}`"
    raise UserError(f"{path}: has no column {name!r}; it has {list_columns(header)}{hint}")


def _wrong_width(path: str, place: str, width: int, expected: int, delimiter: str, quote: str) -> str:
    """The message for a row with too many or too few columns."""
    hint = "" if quote == NO_QUOTES else f"; a text with a {delimiter!r} must be in quotes"
    return f"{path}: {place}: has {width} columns, but the header has {expected}{hint if width > expected else ''}"
