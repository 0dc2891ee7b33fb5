"""Pairs of texts from corpus sentences, as alike as the pairs of a task.

Real text comes first: two corpus sentences of one group that are as alike as a pair of the task. For a sentence without
such a neighbour, a text is written from the sentence itself: words out, words of other sentences of the group in, and
parts swapped. The sentence is always the longer text. If the drawn pair of the task has its longer text second, so has
the new one. A sentence that is short beside the longer text of the drawn pair is joined with another one of its group.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from textbook.textbooks.pairs.likeness import Likeness, number_words
from textbook.textbooks.pairs.plan import LEFT_OUT, PART, REAL, WRITTEN, Plan, plan_pairs
from textbook.words import word_spans

MADE = {REAL: "real", WRITTEN: "written", PART: "part"}
"""How a pair was made: of two corpus sentences; or one of its texts was written from the other, or from a part of the
other that has at most half of its words."""
PAIR_COLUMNS = ["sentence", "sentence2", "source", "made"]


def pair_up(
    rows: pa.Table, groups: NDArray[np.int64], wanted: Likeness, keys: NDArray[np.int64], seed: int
) -> tuple[pa.Table, NDArray[np.int64]]:
    """Make pairs of the sentences of each group.

    A sentence is in at most one pair. For every text that is written, one more sentence of the group is used: it gives
    the first of the new words, or is joined with the first one. So two sentences make a pair, and of an odd number one
    is left out.

    Args:
        rows: `sentence` and `source`, in the order of their groups, with the most relevant first within a group.
        groups: the group of each sentence; shape [rows].
        wanted: the pairs of the task.
        keys: numbers that identify the sentences, such as their ids in the corpus; shape [rows].

    Returns:
        A table with `PAIR_COLUMNS`, and for each of its rows the number of the sentence that it was made for. `source`
        is the source of this sentence.
    """
    texts = rows["sentence"].to_pylist()
    plan = plan_pairs(number_words(texts, {}), groups, wanted, keys, seed)
    chosen = np.flatnonzero(plan.made != LEFT_OUT)
    pairs = zip(_pairs(texts, plan, chosen), plan.swapped[chosen].tolist(), strict=True)
    sides = list(zip(*(pair[::-1] if swapped else pair for pair, swapped in pairs), strict=True)) or [(), ()]
    made = [MADE[kind] for kind in plan.made[chosen].tolist()]
    first, second, how = (pa.array(column, pa.string()) for column in (*sides, made))
    return pa.table([first, second, rows["source"].take(pa.array(chosen)), how], names=PAIR_COLUMNS), chosen


def _pairs(texts: Sequence[str], plan: Plan, chosen: NDArray[np.int64]) -> Iterator[tuple[str, str]]:
    """Yield the two texts of the pair of each chosen sentence: first its own, then the partner or a written text."""
    words, after, starts = _pieces(texts)
    for number in chosen.tolist():
        text, partner = texts[number], plan.partner[number]
        if plan.made[number] == REAL:
            yield text, texts[partner]
            continue
        space = " " if " " in text else ""
        stops = {starts[number + 1]}
        ending = after[starts[number + 1] - 1]
        if plan.joined[number]:
            text = text + space + texts[partner]
            stops.add(starts[partner + 1])
            ending = after[starts[partner + 1] - 1]
        span = slice(plan.offsets[number], plan.offsets[number + 1])
        sources, places = plan.sources[span].tolist(), plan.places[span].tolist()
        # At the end of a sentence that is no longer at the end, only white space follows the word.
        gaps = [after[place] if place + 1 not in stops else space for place in places[:-1]]
        other = "".join(map("".join, zip((words[source] for source in sources), [*gaps, ending], strict=True)))
        yield text, other[:1].upper() + other[1:] if text[:1].isupper() else other


def _pieces(texts: Sequence[str]) -> tuple[list[str], list[str], list[int]]:
    """The words of all texts in their spelling, what follows each of them, and where the words of each text start.

    The first word of a text is in lower case if the texts also have it in lower case elsewhere.
    """
    words: list[str] = []
    after: list[str] = []
    starts = [0]
    for text in texts:
        spans = word_spans(text)
        words += [text[start:stop] for start, stop in spans]
        after += [text[stop:start] for (_, stop), (start, _) in pairwise(spans)]
        after += [text[stop:] for _, stop in spans[-1:]]
        starts.append(len(words))
    known = set(words)
    for start, stop in pairwise(starts):
        if start < stop and words[start].istitle() and words[start].lower() in known:
            words[start] = words[start].lower()
    return words, after, starts
