"""What looks wrong with the texts of a new task."""

from collections.abc import Sequence

from textbook.errors import UserError
from textbook.proposals.columns import is_missing
from textbook.proposals.places import name_rows
from textbook.tasks.rows import LabelledRows
from textbook.words import canonical, words

TOKENS_A_WORD = 4 / 3  # of the usual tokenizers in English; more in other languages


def check_texts(column: str, rows: LabelledRows) -> None:
    """Check that every row has its texts.

    Args:
        column: the columns of the text, for messages.

    Raises:
        UserError: a text is missing or blank; the message names the first rows.
    """
    empty = [place for place, texts in zip(rows.places, rows.texts, strict=True) if any(map(is_missing, texts))]
    if empty:
        raise UserError(f"{name_rows(empty)}: no text in {column}; fill it in, or remove the row")


def notes_on_texts(rows: LabelledRows, lengths: Sequence[int], max_length: int) -> list[str]:
    """What a user should know of the texts: repeated ones, ones with several labels, and ones that are cut.

    Args:
        lengths: the number of words of each row.
        max_length: the tokens that the models read.
    """
    notes = []
    labels: dict[tuple[str, ...], set[str]] = {}
    for texts, label in zip(rows.texts, rows.labels, strict=True):
        labels.setdefault(tuple(canonical(text or "") for text in texts), set()).add(str(label))
    if repeated := len(rows) - len(labels):
        notes.append(f"{repeated:,} {'row repeats' if repeated == 1 else 'rows repeat'} the text of another row")
    if several := sum(len(different) > 1 for different in labels.values()):
        notes.append(f"{several:,} {'text has' if several == 1 else 'texts have'} different labels in different rows")
    limit = round(max_length / TOKENS_A_WORD)
    if long := sum(length > limit for length in lengths):
        notes.append(
            f"{long:,} of {len(rows):,} texts have more than {limit} words, about the {max_length} tokens that the"
            " models read (`teacher.max_length`, `adapt.max_length`); the rest of them is cut off"
        )
    quoted = sum(_is_quoted(text) for texts in rows.texts for text in texts)
    if quoted > len(rows) / 10:
        notes.append(f"{quoted:,} texts begin and end with a quotation mark, which is part of the text (see `quote`)")
    return notes


def row_lengths(rows: LabelledRows) -> list[int]:
    """The number of words of each row, of both texts of a pair together."""
    return [sum(len(words(text or "")) for text in texts) for texts in rows.texts]


def _is_quoted(text: str | None) -> bool:
    return text is not None and len(text) > 1 and text[0] == text[-1] == '"'
