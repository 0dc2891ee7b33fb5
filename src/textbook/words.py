"""Words and canonical texts: the one definition of words, for keywords, BM25, n-grams and vocabularies.

Two texts are *the same text* if their canonical forms are equal; see `canonical`. The same text has the same words.
"""

import re
import unicodedata

# Runs of letters and digits, with apostrophes between them ("don't" is one word), as in Lucene's standard tokenizer.
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_DOTTED_I = re.compile("i\u0307+")


def words(text: str) -> list[str]:
    """Return the words of a text in order, in lower case."""
    return _WORD.findall(text.lower().replace("’", "'"))


def word_spans(text: str) -> list[tuple[int, int]]:
    """Return the start and end of each word: a word is `text[start:end]`, in its original spelling."""
    return [match.span() for match in _WORD.finditer(text.replace("’", "'"))]


def canonical(text: str) -> str:
    """The canonical form of a text: two texts with one canonical form are the same text.

    The form is in Unicode NFC and in lower case, every run of white space is one space, and there is none around it.
    (White space is what `str.isspace` says, so it includes no-break and ideographic spaces.) Lower case is that of
    `str.lower`, not `str.casefold`, because ß and ss distinguish words ("Maße", "Masse"). The dot that is left when İ
    becomes lower case is dropped, so that "İyi" is "iyi". The canonical form of a canonical form is itself.
    """
    return " ".join(_lower(text).split())


def _lower(text: str) -> str:
    """A text in NFC and in lower case."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFC", text).lower()
    if "\u0307" in text:
        text = _DOTTED_I.sub("i", text)
    return unicodedata.normalize("NFC", text)  # again: J with a caron has no single character, j with a caron has
