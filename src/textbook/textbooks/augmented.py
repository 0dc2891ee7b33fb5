"""The augmented textbook (the paper's TaskDA): the task's own sentences, varied word by word.

Following TinyBERT (Jiao et al. 2020), algorithm 1: in every variant each word that is not a stop word is replaced, with
a given probability, by one of its candidates. Of a word that is one piece to the masked language model, they are what
the model predicts in its place; of any other word, its neighbours among the word vectors.
"""

import json
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
from textbook.files import digest, write_aside
from textbook.params import Augmented
from textbook.retrieval.rake import STOP_WORDS
from textbook.textbooks.book import PAIR_SCHEMA, SCHEMA
from textbook.textbooks.candidates import MaskedLm, Span, double, predict
from textbook.textbooks.leaks import LeakFilter
from textbook.textbooks.vectors import Vectors, nearest
from textbook.words import word_spans

CHUNK = 500  # sentences (or pairs) whose words are looked up together, and again after a crash
LEAKS_KEPT = 1_000  # sentences of which is remembered whether they leak: one of a pair comes again and again


@dataclass(frozen=True)
class Slot:
    """A word of a sentence, `sentence[start:end]`, and what can stand in its place."""

    start: int
    end: int
    candidates: Sequence[str]


FindSlots = Callable[[Sequence[str]], list[list[Slot]]]


def eligible(sentence: str) -> list[Span]:
    """Where the words are that may be replaced: of letters only, and no stop words."""
    return [
        (start, end)
        for start, end in word_spans(sentence)
        if sentence[start:end].isalpha() and sentence[start:end].lower() not in STOP_WORDS
    ]


def find_slots(sentences: Sequence[str], lm: MaskedLm, vectors: Vectors, *, k: int, batch: int) -> list[list[Slot]]:
    """The eligible words of each sentence with their candidates; a word in title case has candidates in title case."""
    spans = [eligible(sentence) for sentence in sentences]
    doubled = double(lm, sentences)
    masked = [(number, span) for number, found in enumerate(spans) for span in found if span in doubled[number].places]
    predicted = predict(lm, [(doubled[number], span) for number, span in masked], k=k, batch=batch)
    candidates = dict(zip(masked, predicted, strict=True))
    words = {
        (number, span): sentences[number][slice(*span)]
        for number, found in enumerate(spans)
        for span in found
        if (number, span) not in candidates
    }
    neighbours = nearest(vectors, words.values(), k)
    candidates |= {place: neighbours[word] for place, word in words.items()}
    return [
        [Slot(*span, _like(sentence[slice(*span)], candidates[number, span])) for span in spans[number]]
        for number, sentence in enumerate(sentences)
    ]


def keep_slots(slots: FindSlots, folder: Path) -> FindSlots:
    """Find slots and keep them in `folder`; the same sentences together are found there the next time."""

    def find(sentences: Sequence[str]) -> list[list[Slot]]:
        path = folder / f"{digest(list(sentences))}.json"
        if not path.is_file():
            rows = [[(slot.start, slot.end, slot.candidates) for slot in row] for row in slots(sentences)]
            with write_aside(path) as aside:
                aside.write_text(json.dumps(rows), encoding="utf-8")
        return [[Slot(*slot) for slot in row] for row in json.loads(path.read_text(encoding="utf-8"))]

    return find


def vary(sentence: str, slots: Sequence[Slot], *, variants: int, probability: float, seed: Sequence[int]) -> list[str]:
    """Random variants of a sentence; the first ones are the same however many there are. Some can be equal.

    A word without candidates stays.
    """
    slots = [slot for slot in slots if slot.candidates]
    chances = np.random.default_rng(seed).random((variants, len(slots), 2)).tolist()
    found = []
    for row in chances:
        parts, at = [], 0
        for slot, (chance, choice) in zip(slots, row, strict=True):
            if chance < probability:
                parts += [sentence[at : slot.start], slot.candidates[int(choice * len(slot.candidates))]]
                at = slot.end
        found.append("".join([*parts, sentence[at:]]))
    return found


def write_augmented(
    first: Sequence[str],
    second: Sequence[str] | None,
    slots: FindSlots,
    leaks: LeakFilter,
    target: Path,
    settings: Augmented,
) -> dict[str, int]:
    """Write the task's sentences (or pairs) and their variants, without duplicates and evaluation sentences.

    Of a pair one sentence at a time is varied, and the other stays as it is. `rank` is 0 for an original, n for the
    n-th variant of one of its sentences; `score` is empty; `source` is `original` or `augmented`. Memory is bounded but
    for a hash of every row, some 70 bytes.

    Args:
        second: the second sentences of pairs.
        slots: finds the words of sentences that can be replaced; `find_slots`, and with `keep_slots` a call that was
            killed goes on with the next chunk.

    Returns:
        How many `sentences` (or pairs) were written, of these `originals`; `duplicates` and `leaks` that were not.

    Raises:
        UserError: nothing is left.
    """
    schema = SCHEMA if second is None else PAIR_SCHEMA
    cases: list[tuple[str, ...]] = list(dict.fromkeys(zip(first, *([] if second is None else [second]), strict=True)))
    counts = {"sentences": 0, "originals": 0, "duplicates": len(first) - len(cases), "leaks": 0}
    order = np.random.default_rng(settings.seed).permutation(len(cases))
    varied = frozenset(order[: settings.varied].tolist())
    leaky = lru_cache(LEAKS_KEPT)(leaks.leaks)
    seen: set[int] = set()
    progress = tqdm(total=len(cases), desc="augment", unit="case")
    with pq.ParquetWriter(target, schema, compression="zstd") as book, progress:
        for start in range(0, len(cases), CHUNK):
            chunk = cases[start : start + CHUNK]
            rows: list[tuple[object, ...]] = []
            for texts, rank in _variants(chunk, start, varied, slots, settings):
                digest = int.from_bytes(blake2b("\0".join(texts).encode(), digest_size=8).digest())
                if digest in seen:
                    counts["duplicates"] += 1
                    continue
                seen.add(digest)
                if any(map(leaky, texts)):
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
    """Some sentences or pairs, which the task counts from `start`, each followed by its variants; with their ranks.

    `varied` has the numbers of those that have variants.
    """
    chosen = [case for number, case in enumerate(cases, start) if number in varied]
    sentences = list(dict.fromkeys(text for case in chosen for text in case))
    found = dict(zip(sentences, slots(sentences), strict=True)) if sentences else {}
    for number, case in enumerate(cases, start):
        yield case, 0
        for side, text in enumerate(case if number in varied else ()):
            variants = vary(
                text,
                found[text],
                variants=settings.variants,
                probability=settings.probability,
                seed=(settings.seed, number, side),
            )
            for rank, variant in enumerate(variants, start=1):
                yield (*case[:side], variant, *case[side + 1 :]), rank


def _like(word: str, candidates: Sequence[str]) -> list[str]:
    if not word.istitle():
        return list(candidates)
    return list(dict.fromkeys(candidate[:1].upper() + candidate[1:] for candidate in candidates))
