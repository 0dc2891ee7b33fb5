"""Which pairs to make of groups of sentences, word by word, in compiled code on numbered words.

Every sentence draws one pair of the task; within a group, the longest sentences get the longest pairs. If the group has
a sentence that is as alike to it as the texts of the drawn pair are, these two become a pair. Otherwise a text is
written from the sentence until it is as alike. A sentence less than half as long as the longer text of the drawn pair,
which may be a passage, is first joined with another one.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from textbook.textbooks.pairs.likeness import Ids, Likeness, Numbered, compare
from textbook.textbooks.pairs.rewriting import Random, next_random, rewrite, seed_random

LEFT_OUT, REAL, WRITTEN, PART = -1, 0, 1, 2
OVERLAP_TOLERANCE, ORDER_TOLERANCE = 0.05, 0.25  # of a real pair; see `Likeness`
LENGTH_TOLERANCE = 0.8  # of the ratios of lengths of a real pair and the drawn one, the smaller to the larger

Draws = NDArray[np.float64]


class Plan(NamedTuple):
    """The pairs to make of sentences.

    made: `REAL`, `WRITTEN`, `PART` (written from at most half of the sentence) or `LEFT_OUT`, where the sentence is
        the partner of another one or has none; shape [sentences].
    partner: the second sentence of a real pair, or the one that the first new words come from; shape [sentences].
    joined: whether the text is written from the sentence and its partner, one after the other; shape [sentences].
    swapped: whether the sentence becomes the second text of its pair; shape [sentences].
    offsets: the written text of sentence n has the words `offsets[n]` up to, without, `offsets[n + 1]` of the following
        arrays; shape [sentences + 1].
    sources: the number of each word among the words of all sentences.
    places: the number of the word in whose place it is, which has the same punctuation.
    """

    made: NDArray[np.int8]
    partner: NDArray[np.int64]
    joined: NDArray[np.bool_]
    swapped: NDArray[np.bool_]
    offsets: NDArray[np.int64]
    sources: NDArray[np.int64]
    places: NDArray[np.int64]


def plan_pairs(
    sentences: Numbered, groups: NDArray[np.int64], wanted: Likeness, keys: NDArray[np.int64], seed: int
) -> Plan:
    """Plan the pairs of sentences.

    Args:
        groups: the group of each sentence, such as the anchor that retrieved it. Equal ones are adjacent, with the most
            relevant sentence first. Only sentences of one group are paired or exchange words.
        wanted: the pairs of the task; each sentence draws one.
        keys: a number for each sentence that, with `seed`, decides its random numbers.
    """
    limits = np.flatnonzero(np.diff(groups, prepend=-1, append=-1)) if len(groups) else np.zeros(1, np.int64)
    shorter, longer = np.minimum(wanted.first, wanted.second), np.maximum(wanted.first, wanted.second)
    ratio, side = shorter / np.maximum(longer, 1), np.sign(wanted.second - wanted.first)
    draws = np.stack([wanted.overlap, wanted.order, ratio, longer, side], axis=1)
    arrays = _plan(sentences.ids, sentences.offsets, sentences.size, limits, draws, keys, np.uint64(seed))
    return Plan(*arrays)


@njit(cache=True)
def _draw(words: NDArray[np.int64], wanted: Draws, keys: NDArray[np.int64], seed: np.uint64, state: Random) -> Ids:
    """Draw a pair of the task for each sentence of a group, longer pairs for longer sentences.

    Args:
        words: the number of words of each sentence.
    """
    drawn = np.empty(len(words), np.int32)
    for number in range(len(words)):
        seed_random(state, seed, keys[number])
        drawn[number] = int(next_random(state) * len(wanted))
    chosen = np.empty(len(words), np.int32)
    chosen[np.argsort(words, kind="mergesort")] = drawn[np.argsort(wanted[drawn, 3], kind="mergesort")]
    return chosen


@njit(cache=True)
def _plan(
    ids: Ids,
    offsets: NDArray[np.int64],
    size: int,
    limits: NDArray[np.int64],
    wanted: Draws,
    keys: NDArray[np.int64],
    seed: np.uint64,
) -> tuple[
    NDArray[np.int8],
    NDArray[np.int64],
    NDArray[np.bool_],
    NDArray[np.bool_],
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.int64],
]:
    """See `plan_pairs`. Group n has the sentences `limits[n]` up to, without, `limits[n + 1]`.

    Args:
        wanted: of each pair of the task its overlap and order, the ratio of the shorter length to the longer one, the
            longer one, and the sign of the second length minus the first; shape [pairs, 5].
    """
    count = len(offsets) - 1
    longest = 1
    for number in range(count):
        longest = max(longest, offsets[number + 1] - offsets[number])
    made = np.full(count, LEFT_OUT, np.int8)
    partner = np.full(count, -1, np.int64)
    joined, swapped = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    starts = np.zeros(count + 1, np.int64)
    sources, places = np.empty(len(ids), np.int64), np.empty(len(ids), np.int64)
    used = np.zeros(count, np.bool_)
    state = np.zeros(1, np.uint64)
    seen, common, tails = np.zeros(size, np.int32), np.empty(longest, np.int32), np.empty(longest, np.int32)
    fate, times = np.zeros(size, np.int8), np.zeros(size, np.int32)
    base, row = np.empty(2 * longest, np.int64), np.empty((2, 2 * longest), np.int64)
    end = 0
    for group in range(len(limits) - 1):
        first, last = limits[group], limits[group + 1]
        drawn = _draw(np.diff(offsets[first : last + 1]), wanted, keys[first:last], seed, state)
        for number in range(first, last):
            starts[number] = end
            if used[number] or offsets[number] == offsets[number + 1]:
                continue
            used[number] = True
            seed_random(state, seed, ~keys[number])  # not the numbers of the draw
            overlap, order, ratio, longer, side = wanted[drawn[number - first]]
            other = _neighbour(ids, offsets, number, last, used, (overlap, order, ratio), seen, common, tails)
            text = ids[offsets[number] : offsets[number + 1]]
            if other >= 0:
                made[number] = REAL
                difference = offsets[other + 1] - offsets[other] - len(text)
                swapped[number] = difference * side < 0
            else:
                other = number + 1
                while other < last and (used[other] or offsets[other] == offsets[other + 1]):
                    other += 1
                if other == last:
                    continue
                swapped[number] = side > 0
                words, joined[number] = _join(offsets, number, other, longer, base)
                # The new words: those of the partner, then of the sentences after it, then of the group's first ones.
                begin = offsets[other + 1] if joined[number] else offsets[other]
                group_words = (offsets[first], offsets[last], begin)
                like = (overlap, order, ratio)
                written, span = rewrite(ids, base[:words], group_words, like, state, (fate, times), row)
                sources[end : end + written] = row[0, :written]
                places[end : end + written] = row[1, :written]
                end += written
                made[number] = PART if 2 * span <= words else WRITTEN
            used[other] = True
            partner[number] = other
    starts[count] = end
    return made, partner, joined, swapped, starts, sources[:end].copy(), places[:end].copy()


@njit(cache=True)
def _join(
    offsets: NDArray[np.int64], number: int, other: int, longer: float, base: NDArray[np.int64]
) -> tuple[int, bool]:
    """Write the places of the words of a sentence into `base`, followed by those of another one if it is too short.

    Args:
        longer: words of the longer text of the drawn pair. Joined, the two must be nearer to it, by their ratio.

    Returns:
        The number of words, and whether the sentences were joined.
    """
    words = offsets[number + 1] - offsets[number]
    base[:words] = np.arange(offsets[number], offsets[number + 1])
    both = words + offsets[other + 1] - offsets[other]
    if 2 * words > longer or both * words > longer * longer:
        return words, False
    base[words:both] = np.arange(offsets[other], offsets[other + 1])
    return both, True


@njit(cache=True)
def _neighbour(
    ids: Ids,
    offsets: NDArray[np.int64],
    number: int,
    last: int,
    used: NDArray[np.bool_],
    wanted: tuple[float, float, float],
    seen: Ids,
    common: Ids,
    tails: Ids,
) -> int:
    """The unused sentence after `number`, before `last`, whose overlap with it is nearest to that wanted, or -1.

    Args:
        wanted: overlap, order, and the ratio of the shorter length to the longer one. All three tolerances hold.
    """
    overlap, order, ratio = wanted
    best, nearest = -1, OVERLAP_TOLERANCE
    text = ids[offsets[number] : offsets[number + 1]]
    for other in range(number + 1, last):
        words = offsets[other + 1] - offsets[other]
        if used[other] or words == 0:
            continue
        lengths = min(words, len(text)) / max(words, len(text))
        if min(lengths, ratio) < LENGTH_TOLERANCE * max(lengths, ratio):
            continue
        shared, kept = compare(text, ids[offsets[other] : offsets[other + 1]], seen, common, tails)
        if abs(shared - overlap) < nearest and abs(kept - order) <= ORDER_TOLERANCE and shared < 1:
            best, nearest = other, abs(shared - overlap)
    return best
