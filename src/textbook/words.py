"""Words and canonical texts: the one definition of words, for keywords, BM25, n-grams and vocabularies.

A word is a run of letters, digits and combining marks of any script that starts with a letter or a digit. It may have
apostrophes inside ("don't" is one word), as in Lucene's standard tokenizer. Words are in Unicode NFC and in lower case.
Zero-width joiners and non-joiners inside a word are kept. Soft hyphens and the other invisible characters are dropped,
except the zero-width space, which separates words.

Chinese, Japanese, Thai, Lao, Khmer and Burmese are written without spaces. ICU divides their runs into words, with a
dictionary per script. The script alone decides, so the words of a text do not depend on the language of its corpus.

Two texts are *the same text* if their canonical forms are equal; see `canonical`. The same text has the same words.
"""

import re
import unicodedata
from collections.abc import Iterator

# Unicode's Default_Ignorable_Code_Point, without the zero-width space.
_DROPPED = (
    "\u00ad\u034f\u061c\u180b-\u180f\u200e\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef"
)
_JOINERS = "\u200c\u200d"
ZERO_WIDTH_SPACE = "\u200b"
INVISIBLE = _DROPPED + _JOINERS
"""Characters that do not end a word, for a class of a regular expression."""
_MARKS = [code for code in range(0x300, 0x20000) if unicodedata.category(chr(code))[0] == "M"]
_STARTS = [code for code, before in zip(_MARKS, [0, *_MARKS], strict=False) if code != before + 1]
_ENDS = [code for code, after in zip(_MARKS, [*_MARKS[1:], 0], strict=True) if code != after - 1]
MARKS = "".join(f"{chr(start)}-{chr(end)}" for start, end in zip(_STARTS, _ENDS, strict=True))
"""The combining marks, for a class of a regular expression."""

# The scripts without spaces that ICU has a dictionary for, without their digits and punctuation.
_UNSPACED = (
    "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"  # Han
    "\u3041-\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"  # Kana
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u0edc-\u0edf"  # Thai, Lao
    "\u1780-\u17d3\u17d7\u17dc\u17dd\u1000-\u103f\u1050-\u108f\u109a-\u109d"  # Khmer, Burmese
)

_PLAIN_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_INSIDE = rf"[\w{MARKS}]"  # `_` is replaced before
_WORD = re.compile(
    rf"[^\W_]{_INSIDE}*(?:(?:[{INVISIBLE}]*'[{INVISIBLE}]*(?=\w)|[{INVISIBLE}]+(?={_INSIDE})){_INSIDE}+)*"
)
# Text without marks and invisible characters, in scripts with spaces: Latin, Greek, Cyrillic, Hebrew, Arabic, Korean.
SIMPLE = re.compile(
    "[\0-\u00ac\u00ae-\u02ff\u0370-\u0482\u048a-\u0590\u05d0-\u060f\u061b\u061d-\u064a\u0660-\u066f\u0671-\u06d5\u06ee-\u06ff"
    "\u1e00-\u200b\u2010-\u2029\u202f-\u205f\u2070-\u20cf\u2100-\u2bff\uac00-\ud7a3]*"
)
_DROP = re.compile(f"[{_DROPPED}]+")
_HIDDEN = re.compile(f"[{INVISIBLE}]+")
_DOTTED_I = re.compile("i\u0307+")
# With the marks of every script: where a mark of another one stands, in NFC it may stand elsewhere.
_RUN = re.compile(rf"((?=\w)[{_UNSPACED}][{_UNSPACED}{MARKS}{INVISIBLE}]*)")


def words(text: str) -> list[str]:
    """Return the words of a text in order, in lower case."""
    if text.isascii():
        return _PLAIN_WORD.findall(text.lower())
    if SIMPLE.fullmatch(text):
        return _PLAIN_WORD.findall(_with_apostrophes(_lower(text)))
    text = _with_apostrophes(_lower(_DROP.sub("", text))).replace("_", " ")
    if not _RUN.search(text):
        return _WORD.findall(text)
    text = _RUN.sub(lambda run: _visible(run.group()), text)
    return [text[start:stop] for start, stop in _spans(text)]


def word_spans(text: str) -> list[tuple[int, int]]:
    """Return the start and end of each word: a word is `text[start:end]`, in its original spelling.

    The spans are those of `words(text)`, one for one, also if the text is not in NFC.
    """
    if text.isascii() or SIMPLE.fullmatch(text):
        return [match.span() for match in _PLAIN_WORD.finditer(_with_apostrophes(text))]
    return list(_spans(_with_apostrophes(text).replace("_", " ")))


def canonical(text: str) -> str:
    """The canonical form of a text: two texts with one canonical form are the same text.

    The form is in Unicode NFC and in lower case, every run of white space is one space, and there is none around it.
    White space is what `str.isspace` says, so it includes no-break and ideographic spaces. The canonical form of a
    canonical form is itself.

    Lower case is that of `str.lower`, not `str.casefold`, because ß and ss distinguish words ("Maße", "Masse"). But a
    final sigma is an ordinary one, and the dot that is left when İ becomes lower case is dropped: "İyi" is "iyi".
    """
    return " ".join(_lower(text).split())


def _lower(text: str) -> str:
    """A text in NFC and in lower case."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFC", text).lower().replace("ς", "σ")  # otherwise the neighbours of Σ would matter
    if "\u0307" in text:
        text = _DOTTED_I.sub("i", text)
    return unicodedata.normalize("NFC", text)  # again: J with a caron has no single character, j with a caron has


def _with_apostrophes(text: str) -> str:
    """A text with straight apostrophes."""
    return text.replace("’", "'")


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """The start and end of each word in a text without underscores and with straight apostrophes."""
    for match in _WORD.finditer(text):
        start, stop = match.span()
        if not _RUN.search(text, start, stop):
            yield start, stop
            continue
        for part in _RUN.split(match.group()):
            if _RUN.match(part):
                yield from ((start + first, start + last) for first, last in _segment(part))
            elif part:
                yield from ((start + inner.start(), start + inner.end()) for inner in _WORD.finditer(part))
            start += len(part)


def _segment(run: str) -> Iterator[tuple[int, int]]:
    """Divide a run of a script without spaces into words: their starts and ends in the run."""
    from icu4py.breakers import WordBreaker  # only where such a script occurs

    composed = _visible(run)
    first = 0
    for segment in WordBreaker(composed, "root"):
        last = min(first + len(segment), len(run))
        while composed != run and len(_visible(run[first:last])) > len(segment):  # NFC divides a few characters
            last -= 1
        while composed != run and last < len(run) and _visible(run[first:last]) != segment:
            last += 1
        yield first, last
        first = last


def _visible(text: str) -> str:
    """A text in NFC without invisible characters."""
    return unicodedata.normalize("NFC", _HIDDEN.sub("", text))
