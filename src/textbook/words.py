"""What counts as a word: one definition for keywords, BM25, n-grams and vocabularies."""

import re

# Letters and digits, apostrophes inside included ("don't" is one word), as in Lucene's standard tokenizer.
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def words(text: str) -> list[str]:
    """The words of a text in lower case, in order."""
    return _WORD.findall(text.lower().replace("’", "'"))
