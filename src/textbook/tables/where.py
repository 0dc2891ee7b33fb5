"""The condition `where` on the rows of a table."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from textbook.errors import UserError
from textbook.params import Condition, Scalar
from textbook.tables.blocks import Block


class Filter:
    """Keeps the rows in which each named column has the given value, or one of the given values.

    A string in the data matches a number or a boolean that is written like it, because CSV has no types.

    Args:
        path: the table, for messages.
    """

    def __init__(self, where: Mapping[str, Condition], path: str) -> None:
        self._wanted = {name: value if isinstance(value, list) else [value] for name, value in where.items()}
        self._path = path
        # For each wanted value the type of a value that is not comparable with it, until one that is turns up.
        self._doubts: dict[tuple[str, Scalar], type | None] = {}

    def __call__(self, block: Block) -> Block:
        """The rows of a block that match."""
        rows = range(len(block))
        chosen = list(rows)
        for name, wanted in self._wanted.items():
            values = block.columns[name]
            chosen = [row for row in chosen if any(_matches(values[row], one) for one in wanted)]
            self._compare(name, wanted, values)
        return block if len(chosen) == len(block) else block.take(chosen)

    def close(self) -> None:
        """Check, after the last block, that each wanted value could have matched.

        Raises:
            UserError: the column has values, but none of the kind of the wanted value.
        """
        for (name, one), kind in self._doubts.items():
            if kind is not None:
                contents = {str: "text", bool: "true and false"}.get(kind, "numbers")
                raise UserError(
                    f"{self._path}: where {name} = {one!r} cannot match, because the column contains {contents}"
                )

    def _compare(self, name: str, wanted: list[Scalar], values: list[Any]) -> None:
        for one in wanted:
            if self._doubts.get((name, one), type) is None:
                continue
            present = [value for value in values if value is not None]
            if any(_is_comparable(value, one) for value in present):
                self._doubts[name, one] = None
            elif present:
                self._doubts[name, one] = type(present[0])


def _is_comparable(value: Any, wanted: Scalar) -> bool:
    """Whether a value of the data is of the kind of a wanted value."""
    if isinstance(wanted, str):
        return isinstance(value, str)
    if isinstance(value, str):
        return _parse(value, wanted) is not None
    return isinstance(value, bool) == isinstance(wanted, bool) and isinstance(value, (bool, int, float, Decimal))


def _matches(value: Any, wanted: Scalar) -> bool:
    """Whether a value of the data equals a wanted value."""
    if not _is_comparable(value, wanted):
        return False
    return bool((_parse(value, wanted) if isinstance(value, str) and not isinstance(wanted, str) else value) == wanted)


def _parse(text: str, wanted: bool | int | float) -> bool | float | None:
    """A text as a boolean or a number, whichever is wanted; None if it is neither."""
    if isinstance(wanted, bool):
        return {"true": True, "false": False}.get(text.lower())
    try:
        return float(text)
    except ValueError:
        return None
