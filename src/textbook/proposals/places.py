"""Rows of a new task that lack something, for messages."""

from collections.abc import Sequence

SHOWN = 3  # rows that a message names


def name_rows(places: Sequence[object]) -> str:
    """The first of some rows, and how many others there are.

    Args:
        places: their places in the user's files, whose text is `FILE, row 3 (line 5)`.
    """
    more = len(places) - SHOWN
    return "; ".join(map(str, places[:SHOWN])) + (f" and {more:,} more rows" if more > 0 else "")
