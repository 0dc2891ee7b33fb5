"""Near-duplicates by definition: shingles as tuples of words, without hashes, and a comparison of all sentences."""

from collections import defaultdict
from collections.abc import Sequence

from textbook.words import canonical, words

Shingles = frozenset[tuple[str, ...]]


def shingles_of(sentence: str, length: int) -> Shingles:
    tokens = words(sentence)
    last = max(1, len(tokens) - length + 1)
    return frozenset(tuple(tokens[first : first + length]) for first in range(last)) - {()}


def jaccard(first: Shingles, second: Shingles) -> float:
    return len(first & second) / len(first | second)


def similar_to_kept(
    sentences: Sequence[str], removed: set[int] | None, threshold: float, length: int
) -> dict[int, list[int]]:
    """The places of sentences that are similar to an earlier one that stays, each with the places of all such ones.

    Exact duplicates and sentences without words are left out.

    Args:
        removed: which sentences do not stay; None: those that are similar to an earlier one that stays.
    """
    similar: dict[int, list[int]] = {}
    seen: set[str] = set()
    stay: dict[tuple[str, ...], list[int]] = defaultdict(list)
    sets = [shingles_of(sentence, length) for sentence in sentences]
    for place, (sentence, own) in enumerate(zip(sentences, sets, strict=True)):
        if not own or canonical(sentence) in seen:
            continue
        seen.add(canonical(sentence))
        others = {other for shingle in own for other in stay[shingle]}  # all others have nothing in common
        if found := sorted(other for other in others if jaccard(own, sets[other]) >= threshold):
            similar[place] = found
        if place not in (similar if removed is None else removed):
            for shingle in own:
                stay[shingle].append(place)
    return similar
