"""Made-up tasks of pairs that are unlike each other, and sentences to make pairs of."""

import random
from collections.abc import Callable

Pair = tuple[str, str]
VOCABULARY = [f"{start}{end}" for start in ("ba", "du", "fi", "ko", "le", "mi") for end in map(str, range(60))]


def make_words(rng: random.Random, low: int, high: int) -> list[str]:
    return rng.choices(VOCABULARY, k=rng.randint(low, high))


def paraphrase(rng: random.Random) -> Pair:
    """Two texts of similar length that share half of their words; parts of some are swapped."""
    first = make_words(rng, 8, 24)
    second = [word if rng.random() < rng.choice((0.4, 0.7, 0.9)) else rng.choice(VOCABULARY) for word in first]
    cut = rng.randint(2, len(second) - 2) if rng.random() < 0.4 else 0
    return " ".join(first), " ".join([*second[cut:], *second[:cut]])


def premise(rng: random.Random) -> Pair:
    """A long text, and a short one that has parts of it."""
    first = make_words(rng, 20, 60)
    start = rng.randrange(len(first) - 9)
    second = [word if rng.random() < 0.7 else rng.choice(VOCABULARY) for word in first[start : start + 9]]
    return " ".join(first), " ".join(second[: rng.randint(4, 9)])


def question(rng: random.Random) -> Pair:
    """A short text, and a long one that shares few of its words."""
    second = make_words(rng, 15, 45)
    first = rng.sample(second, k=rng.randint(0, 4)) + make_words(rng, 4, 8)
    return " ".join(first), " ".join(second)


TASKS: dict[str, Callable[[random.Random], Pair]] = {
    "paraphrase": paraphrase,
    "premise": premise,
    "question": question,
}


def make_task(name: str, pairs: int = 600, seed: int = 0) -> tuple[list[str], list[str]]:
    """The first and the second texts of a task."""
    rng = random.Random(seed)
    rows = [TASKS[name](rng) for _ in range(pairs)]
    return [first for first, _ in rows], [second for _, second in rows]


def make_corpus(sentences: int, seed: int = 1) -> list[str]:
    """Sentences of 5 to 40 words, with punctuation and distinct."""
    rng = random.Random(seed)
    return [f"{' '.join(make_words(rng, 5, 40)).capitalize()}, n{number}." for number in range(sentences)]
