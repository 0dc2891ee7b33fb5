"""Guessing the language of texts by their stop words."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache

from textbook.words import words

SAMPLE = 2000  # texts
LEAST_WORDS = 100  # with fewer, a guess would be of little worth
LEAST_SHARE = 0.2  # of the words, that stop words of the language make up, weighted
MARGIN = 1.5  # by which a language is ahead of the next


def guess_language(texts: Sequence[str]) -> str | None:
    """The ISO 639 code of the language whose stop words are the most frequent in texts; None if it is unclear.

    A stop word counts the less, the more languages have it.
    """
    sample = texts[:: -(-len(texts) // SAMPLE) or 1]
    counts = Counter(word for text in sample for word in words(text))
    if counts.total() < LEAST_WORDS:
        return None
    scores: dict[str, float] = {}
    for word, count in counts.items():
        languages = _languages_of().get(word, [])
        for language in languages:
            scores[language] = scores.get(language, 0) + count / len(languages)
    ranked = sorted(scores.items(), key=lambda item: item[1], reverse=True)
    (best, high), (_, second) = [*ranked, ("", 0.0), ("", 0.0)][:2]
    return best if high > max(MARGIN * second, LEAST_SHARE * counts.total()) else None


@cache
def _languages_of() -> dict[str, list[str]]:
    """The languages that have a stop word, for each of them."""
    import stopwordsiso  # reads its lists when imported

    languages: dict[str, list[str]] = {}
    for language in sorted(stopwordsiso.langs()):
        for word in _spelled(stopwordsiso.stopwords(language)):
            languages.setdefault(word, []).append(language)
    return languages


def _spelled(entries: Iterable[str]) -> set[str]:
    """The entries that are one word, spelled as `words` spells them."""
    return {tokens[0] for entry in entries if len(tokens := words(entry)) == 1}
