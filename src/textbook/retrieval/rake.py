"""Keyword extraction by RAKE (Rose et al. 2010).

Candidate phrases are maximal runs of words between stop words and punctuation. The score of a word is its degree
divided by its frequency. The score of a phrase is the sum of the scores of its words.
"""

import re
from collections import defaultdict

from textbook.words import INVISIBLE, MARKS, SIMPLE, ZERO_WIDTH_SPACE, words

# A run of characters that are neither in a word nor white space ends a phrase. The first pattern is for simple text.
_SIMPLE_FRAGMENT = re.compile(rf"[^\w\s'’{ZERO_WIDTH_SPACE}]+|_+|(?<!\w)['’]+|['’]+(?!\w)")
_FRAGMENT = re.compile(
    rf"[^\w\s'’{MARKS}{INVISIBLE}{ZERO_WIDTH_SPACE}]+|_+"
    rf"|(?<![\w{MARKS}{INVISIBLE}])['’]+|['’]+(?![{INVISIBLE}]*\w)"
)


def rake(text: str, stop_words: frozenset[str]) -> list[tuple[str, float]]:
    """The distinct candidate phrases of a text with their scores, best first; ties are in order of appearance."""
    phrases: dict[tuple[str, ...], None] = {}
    degree: defaultdict[str, int] = defaultdict(int)
    frequency: defaultdict[str, int] = defaultdict(int)
    is_simple = text.isascii() or SIMPLE.fullmatch(text)
    for fragment in (_SIMPLE_FRAGMENT if is_simple else _FRAGMENT).split(text):
        for phrase in _runs(words(fragment), stop_words):
            phrases.setdefault(phrase)
            for word in phrase:
                frequency[word] += 1
                degree[word] += len(phrase)
    scored = [(" ".join(phrase), sum(degree[word] / frequency[word] for word in phrase)) for phrase in phrases]
    return sorted(scored, key=lambda item: -item[1])


def query(text: str, phrases: int, stop_words: frozenset[str]) -> tuple[list[str], bool]:
    """The search words of an anchor: the words of its `phrases` highest-scoring phrases.

    Returns:
        The words, and whether the query fell back to all words of the anchor because it has no keywords ("It is what it
        is.").
    """
    keywords = [word for phrase, _ in rake(text, stop_words)[:phrases] for word in phrase.split()]
    return (keywords, False) if keywords else (words(text), True)


def _runs(tokens: list[str], stop_words: frozenset[str]) -> list[tuple[str, ...]]:
    """Split tokens into maximal runs without stop words."""
    runs: list[tuple[str, ...]] = []
    run: list[str] = []
    for token in tokens:
        if token in stop_words:
            if run:
                runs.append(tuple(run))
            run = []
        else:
            run.append(token)
    if run:
        runs.append(tuple(run))
    return runs
