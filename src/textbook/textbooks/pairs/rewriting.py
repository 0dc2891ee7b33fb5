"""Writing a text from another one, word by word, in compiled code on numbered words.

Random numbers come from a generator of ours (SplitMix64), seeded for each text. So they depend neither on the machine
nor on which texts are processed together.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from textbook.textbooks.pairs.likeness import Ids

RUN = 3  # consecutive words that are replaced together
MOST_TRIED = 1_000  # words of a group that are tried as new words of one text
FREE, KNOWN, KEPT, OUT, NEW = range(5)
"""The fate of a word: not in the base, only in the base, in the part of it, taken out of the part, put into it."""

Random = NDArray[np.uint64]
Places = NDArray[np.int64]
Fates = NDArray[np.int8]


@njit(cache=True)
def next_random(state: Random) -> float:
    """The next random number from 0 up to, without, 1."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    value = state[0]
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    value = value ^ (value >> np.uint64(31))
    return float(value >> np.uint64(11)) * 2.0**-53


@njit(cache=True)
def seed_random(state: Random, seed: np.uint64, key: int) -> None:
    """Start the random numbers of a key."""
    state[0] = seed
    next_random(state)
    state[0] ^= np.uint64(key)
    next_random(state)


@njit(cache=True)
def rewrite(
    ids: Ids,
    base: Places,
    group: tuple[int, int, int],
    wanted: tuple[float, float, float],
    state: Random,
    scratch: tuple[Fates, Ids],
    row: Places,
) -> tuple[int, int]:
    """Write a text that is as alike to a base as wanted, and at most as long.

    Args:
        ids: the numbers of the words of all sentences.
        base: the places in `ids` of the words of the base: a sentence, or two.
        group: start and stop of its group in `ids`, and where its new words begin.
        wanted: overlap and order, see `Likeness`, and the length of the text as a share of that of the base.
        scratch: the fate of each word, `FREE` before and afterwards, and how often it is in the part.
        row: output, the places in `ids` of the words of the text, and of the words in whose place they are; shape
            [2, words].

    Returns:
        The number of words, and that of the words of the part of the base that the text was made from.
    """
    overlap, order, ratio = wanted
    fate, times = scratch
    distinct = 0
    for word in ids[base]:
        distinct += fate[word] == FREE
        fate[word] = KNOWN
        times[word] = 0
    span = int(len(base) * ratio + next_random(state))
    part, common = _choose_part(ids, base, max(1, min(len(base), span)), overlap * distinct, state, fate, times)
    is_copy = len(part) == len(base) and _size(order, common) == common  # unless a word is taken out
    _take_out(ids, part, common, distinct, overlap, is_copy, state, fate, times)
    written = _put_in(ids, part, group, fate, row)
    if order < 1:
        _swap(ids, fate, written, order, state, row)
    for word in ids[base]:
        fate[word] = FREE
    for number in range(written):
        fate[ids[row[0, number]]] = FREE
    if written == 0:  # all words are out, and the group has no others
        row[0, 0] = row[1, 0] = part[0]
        written = 1
    return written, len(part)


@njit(cache=True)
def _choose_part(
    ids: Ids, base: Places, span: int, needed: float, state: Random, fate: Fates, times: Ids
) -> tuple[Places, int]:
    """Choose `span` consecutive words of a base, or more if fewer than `needed` of them are distinct.

    Returns:
        Their places, and the number of distinct words.
    """
    begin = int(next_random(state) * (len(base) - span + 1))
    end = begin
    common = 0
    while end - begin < span or (common < needed and end - begin < len(base)):
        if end < len(base):
            word = ids[base[end]]
            end += 1
        else:
            begin -= 1
            word = ids[base[begin]]
        common += fate[word] == KNOWN
        fate[word] = KEPT
        times[word] += 1
    return base[begin:end], common


@njit(cache=True)
def _take_out(
    ids: Ids,
    part: Places,
    common: int,
    distinct: int,
    overlap: float,
    is_copy: bool,
    state: Random,
    fate: Fates,
    times: Ids,
) -> None:
    """Take words out of a part, in runs, until the overlap is as wanted if as many others come in.

    The last word is taken out with such a probability that the overlap is right on average.

    Args:
        common, distinct: distinct words of the part and of the base.
        is_copy: whether the text would be equal to the base. Then at least one word is taken out.
    """
    added = 0
    while common > 0:
        position = int(next_random(state) * len(part))
        for _ in range(RUN):
            while fate[ids[part[position]]] != KEPT:
                position = (position + 1) % len(part)
            word = ids[part[position]]
            now, then = common / (distinct + added), (common - 1) / (distinct + added + times[word])
            if not (is_copy and added == 0 and common > 1):
                if now <= overlap:
                    return
                if then < overlap and next_random(state) * (now - then) >= now - overlap:
                    return
            fate[word] = OUT
            common -= 1
            added += times[word]
            if common == 0 or then <= overlap:
                return


@njit(cache=True)
def _put_in(ids: Ids, part: Places, group: tuple[int, int, int], fate: Fates, row: Places) -> int:
    """Write the text: the words of the part, with others of the group instead of those that are out.

    The others are not in the base, and all are different. If the group has too few, the text gets shorter.

    Returns:
        The number of words.
    """
    first, last, cursor = group
    tried = written = 0
    for place in part:
        source = place
        if fate[ids[place]] == OUT:
            source = -1
            while source < 0 and tried < min(last - first, MOST_TRIED):
                if cursor == last:
                    cursor = first
                if fate[ids[cursor]] == FREE:
                    source = cursor
                    fate[ids[cursor]] = NEW
                cursor += 1
                tried += 1
            if source < 0:
                continue
        row[0, written], row[1, written] = source, place
        written += 1
    return written


@njit(cache=True)
def _size(order: float, common: int) -> int:
    """The number of kept words that stay in order."""
    return min(common, max(1, int(order * common + 0.5)))


@njit(cache=True)
def _swap(ids: Ids, fate: Fates, written: int, order: float, state: Random, row: Places) -> None:
    """Put parts of a text in reverse order, so that the share `order` of its kept words stays in order."""
    common = 0
    for number in range(written):
        common += fate[ids[row[0, number]]] == KEPT
    if common < 2:
        return
    size = _size(order, common)
    if size == common:
        return
    room = common % size if next_random(state) < 0.5 else 0  # the part that is smaller comes first, or last
    room = room or size
    moved = row[:, :written].copy()
    stop = written
    begin = 0
    for number in range(written):
        if fate[ids[moved[0, number]]] == KEPT:
            if room == 0:
                stop -= number - begin
                row[:, stop : stop + number - begin] = moved[:, begin:number]
                begin, room = number, size
            room -= 1
    row[:, : written - begin] = moved[:, begin:written]
