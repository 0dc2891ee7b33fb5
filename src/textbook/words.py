"""What counts as a word: one definition for keywords, BM25, n-grams and vocabularies."""

import re

# Letters and digits, apostrophes inside included ("don't" is one word), as in Lucene's standard tokenizer.
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def words(text: str) -> list[str]:
    """The words of a text in lower case, in order."""
    return _WORD.findall(text.lower().replace("’", "'"))


def word_spans(text: str) -> list[tuple[int, int]]:
    """Where each word of a text begins and ends: word n is `text[begin:end]`, as it is written there."""
    return [match.span() for match in _WORD.finditer(text.replace("’", "'"))]
