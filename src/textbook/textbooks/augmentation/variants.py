"""The augmented textbook (the paper's TaskDA): the sentences of the task and variants of them with words replaced.

Follows TinyBERT (Jiao et al. 2020), algorithm 1. In each variant, every word that is not a stop word is replaced, with
a given probability, by one of its candidates. For a word that is a single token of the masked language model, the
candidates are the model's predictions in its place. For any other word they are its nearest neighbours among the word
vectors.
"""

import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from textbook.errors import UserError
from textbook.files import atomic_write, digest
from textbook.params import Augmented
from textbook.textbooks.augmentation.candidates import MaskedLm, Span, double, predict_candidates
from textbook.textbooks.augmentation.vectors import Vectors, nearest
from textbook.textbooks.book import PAIR_SCHEMA, SCHEMA
from textbook.textbooks.leaks import LeakFilter
from textbook.words import INVISIBLE, word_spans, words

CHUNK = 500  # sentences (or pairs) processed together; a crash loses the work on at most one chunk
LEAKS_KEPT = 1_000  # cache size of the leak check, since an unchanged sentence of a pair recurs in many rows


@dataclass(frozen=True)
class Slot:
    """A word of a sentence, `sentence[start:end]`, and the candidates to replace it with."""

    start: int
    end: int
    candidates: Sequence[str]


FindSlots = Callable[[Sequence[str]], list[list[Slot]]]


def eligible(sentence: str, stop_words: frozenset[str]) -> list[Span]:
    """Spans of the words that may be replaced: words of letters only that are not stop words."""
    return [
        (start, end)
        for start, end in word_spans(sentence)
        if _has_only_letters(sentence[start:end]) and stop_words.isdisjoint(words(sentence[start:end]))
    ]


def find_slots(
    sentences: Sequence[str], lm: MaskedLm, vectors: Vectors, *, stop_words: frozenset[str], k: int, batch: int
) -> list[list[Slot]]:
    """Find the eligible words of each sentence and their candidates.

    A word in title case gets candidates in title case.

    Args:
        stop_words: words that are not replaced.
        k: number of predictions or neighbours considered per word.
        batch: number of words that the masked language model predicts at a time.
    """
    spans = [eligible(sentence, stop_words) for sentence in sentences]
    doubled = double(lm, sentences)
    masked = [(number, span) for number, row in enumerate(spans) for span in row if span in doubled[number].places]
    predicted = predict_candidates(lm, [(doubled[number], span) for number, span in masked], k=k, batch=batch)
    candidates = dict(zip(masked, predicted, strict=True))
    unknown = {
        (number, span): sentences[number][slice(*span)]
        for number, row in enumerate(spans)
        for span in row
        if (number, span) not in candidates
    }
    neighbours = nearest(vectors, unknown.values(), k)
    candidates |= {key: neighbours[word] for key, word in unknown.items()}
    return [
        [Slot(*span, _match_case(sentence[slice(*span)], candidates[number, span])) for span in spans[number]]
        for number, sentence in enumerate(sentences)
    ]


def keep_slots(slots: FindSlots, folder: Path) -> FindSlots:
    """Cache the results of `slots` in `folder`, one file per list of sentences."""

    def find(sentences: Sequence[str]) -> list[list[Slot]]:
        path = folder / f"{digest(list(sentences))}.json"
        if not path.is_file():
            rows = [[(slot.start, slot.end, slot.candidates) for slot in row] for row in slots(sentences)]
            with atomic_write(path) as temporary:
                temporary.write_text(json.dumps(rows), encoding="utf-8")
        return [[Slot(*slot) for slot in row] for row in json.loads(path.read_text(encoding="utf-8"))]

    return find


def vary(sentence: str, slots: Sequence[Slot], *, variants: int, probability: float, seed: Sequence[int]) -> list[str]:
    """Make random variants of a sentence. Variants can be equal.

    The first n variants are the same for any number of variants. Words without candidates are not replaced.

    Args:
        probability: probability that a word is replaced.
    """
    slots = [slot for slot in slots if slot.candidates]
    draws = np.random.default_rng(seed).random((variants, len(slots), 2)).tolist()
    texts = []
    for row in draws:
        parts, end = [], 0
        for slot, (draw, choice) in zip(slots, row, strict=True):
            if draw < probability:
                parts += [sentence[end : slot.start], slot.candidates[int(choice * len(slot.candidates))]]
                end = slot.end
        texts.append("".join([*parts, sentence[end:]]))
    return texts


def write_augmented(
    first: Sequence[str],
    second: Sequence[str] | None,
    slots: FindSlots,
    leaks: LeakFilter,
    target: Path,
    settings: Augmented,
) -> dict[str, int]:
    """Write the sentences (or pairs) of the task and their variants, without duplicates and evaluation data.

    A variant of a pair changes only one of its sentences. `rank` is 0 for an original and n for the n-th variant of one
    of its sentences. `score` is null. `source` is `original` or `augmented`. Memory is bounded except for a hash of
    about 70 bytes per row.

    Args:
        first: the sentences of the task, or the first sentences of its pairs.
        second: the second sentences of the pairs.
        slots: finds the replaceable words of sentences, such as `find_slots`. Wrapped in `keep_slots`, a repeated call
            does not recompute the chunks that were completed before a crash.
        leaks: detects evaluation data.

    Returns:
        `sentences`: the number of sentences (or pairs) written. `originals`: the number of originals among them.
        `duplicates`, `leaks`: the numbers of sentences (or pairs) left out for these reasons.

    Raises:
        UserError: no sentence is left.
    """
    schema = SCHEMA if second is None else PAIR_SCHEMA
    cases: list[tuple[str, ...]] = list(dict.fromkeys(zip(first, *([] if second is None else [second]), strict=True)))
    counts = {"sentences": 0, "originals": 0, "duplicates": len(first) - len(cases), "leaks": 0}
    order = np.random.default_rng(settings.seed).permutation(len(cases))
    varied = frozenset(order[: settings.varied].tolist())
    is_leak = lru_cache(LEAKS_KEPT)(leaks.leaks)
    seen: set[int] = set()
    progress = tqdm(total=len(cases), desc="augment", unit="case")
    with pq.ParquetWriter(target, schema, compression="zstd") as book, progress:
        for start in range(0, len(cases), CHUNK):
            chunk = cases[start : start + CHUNK]
            rows: list[tuple[object, ...]] = []
            for texts, rank in _variants(chunk, start, varied, slots, settings):
                key = int.from_bytes(blake2b("\0".join(texts).encode(), digest_size=8).digest())
                if key in seen:
                    counts["duplicates"] += 1
                    continue
                seen.add(key)
                if any(map(is_leak, texts)):
                    counts["leaks"] += 1
                    continue
                counts["originals"] += rank == 0
                rows.append((*texts, rank, None, "augmented" if rank else "original"))
            if rows:
                book.write_table(pa.table([list(column) for column in zip(*rows, strict=True)], schema=schema))
            counts["sentences"] += len(rows)
            progress.update(len(chunk))
    if not counts["sentences"]:
        raise UserError(f"{target.name}: no sentence of the task is left for this textbook")
    return counts


def _variants(
    cases: Sequence[tuple[str, ...]],
    start: int,
    varied: frozenset[int],
    slots: FindSlots,
    settings: Augmented,
) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield each sentence or pair with rank 0, followed by its variants with their ranks.

    Args:
        start: number of the first case within the task.
        varied: numbers of the cases that get variants.
    """
    varied_cases = [case for number, case in enumerate(cases, start) if number in varied]
    sentences = list(dict.fromkeys(text for case in varied_cases for text in case))
    slots_by_text = dict(zip(sentences, slots(sentences), strict=True)) if sentences else {}
    for number, case in enumerate(cases, start):
        yield case, 0
        for side, text in enumerate(case if number in varied else ()):
            variants = vary(
                text,
                slots_by_text[text],
                variants=settings.variants,
                probability=settings.probability,
                seed=(settings.seed, number, side),
            )
            for rank, variant in enumerate(variants, start=1):
                yield (*case[:side], variant, *case[side + 1 :]), rank


def _has_only_letters(word: str) -> bool:
    """Whether a word has neither digits nor apostrophes; a letter may have combining marks and joiners."""
    return word.isalpha() or all(
        unicodedata.category(character)[0] in "LM" or character in INVISIBLE for character in word
    )


def _match_case(word: str, candidates: Sequence[str]) -> list[str]:
    """Capitalise the candidates if the word is in title case."""
    if not word.istitle():
        return list(candidates)
    return list(dict.fromkeys(candidate[:1].upper() + candidate[1:] for candidate in candidates))
