"""Evaluation sentences must never reach a textbook."""

from collections.abc import Iterable, Sequence

from textbook.words import words


class LeakFilter:
    """Recognises sentences that repeat evaluation data.

    A sentence leaks if its words are those of an evaluation sentence, or if it shares `ngram` consecutive words with
    one. Case and punctuation don't count.
    """

    def __init__(self, evaluation: Iterable[str], ngram: int) -> None:
        self.ngram = ngram
        self.exact: set[tuple[str, ...]] = set()
        self.grams: set[tuple[str, ...]] = set()
        for sentence in evaluation:
            tokens = words(sentence)
            self.exact.add(tuple(tokens))
            self.grams.update(_ngrams(tokens, ngram))

    def leaks(self, sentence: str) -> bool:
        """Whether a sentence repeats evaluation data."""
        tokens = words(sentence)
        return tuple(tokens) in self.exact or not self.grams.isdisjoint(_ngrams(tokens, self.ngram))


def _ngrams(tokens: Sequence[str], n: int) -> Iterable[tuple[str, ...]]:
    return zip(*(tokens[start:] for start in range(n)), strict=False)  # ends with the shortest: all whole n-grams
