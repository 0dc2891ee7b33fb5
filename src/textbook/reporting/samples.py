"""Texts as the report shows them."""

from collections.abc import Sequence
from textwrap import shorten

CHARACTERS = 400  # of a text that is shown


def shown(first: Sequence[str], second: Sequence[str] | None) -> list[str]:
    """Texts of at most `CHARACTERS` characters, cut between words. The two sentences of a pair become one text.

    Args:
        second: the second sentences of pairs, or None.
    """
    whole = first if second is None else [" | ".join(pair) for pair in zip(first, second, strict=True)]
    return [text if len(text) <= CHARACTERS else shorten(text, CHARACTERS, placeholder=" …") for text in whole]
