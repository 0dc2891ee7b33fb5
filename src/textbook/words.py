"""Splitting text into words: the one definition for keywords, BM25, n-grams and vocabularies."""

import re

# Runs of letters and digits, with apostrophes between them ("don't" is one word), as in Lucene's standard tokenizer.
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def words(text: str) -> list[str]:
    """Return the words of a text in order, in lower case."""
    return _WORD.findall(text.lower().replace("’", "'"))


def word_spans(text: str) -> list[tuple[int, int]]:
    """Return the start and end of each word: a word is `text[start:end]`, in its original spelling."""
    return [match.span() for match in _WORD.finditer(text.replace("’", "'"))]
