"""Compare the textbooks of a task, as in the paper's Table 1 (sizes), Table 3 (diversity) and Figure 3 (overlap)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from tqdm import tqdm

from textbook.textbooks.measures.diversity import distinct_n, matched_subset
from textbook.textbooks.measures.vocabulary import TOP_WORDS, Extent, count_vocabulary, overlap, read_texts
from textbook.textbooks.pairs.likeness import OVERLAPS, overlap_table

TASK, AUGMENTED, CONTEXTUALIZED, GENERAL = "task", "augmented", "contextualized", "general"
CORPORA = (TASK, AUGMENTED, CONTEXTUALIZED, GENERAL)
TOP_PERCENTS = (20, 40, 60, 80, 100)

_Row = dict[str, Any]


@dataclass(frozen=True)
class Analysis:
    """Rows of the three tables. `k` and `top_percent` are None unless the corpus is the contextualized one.

    sizes: `task, corpus, cases, k, text_bytes` (size as plain text), `file_bytes` (size on disk).
    diversity: `task, matched_to, corpus, words, distinct_1, distinct_2`. The last two are in percent, measured on
        random texts with about `words` words in total, the size of the smallest corpus of the group, `matched_to`.
        Then `pair_overlap_p10` to `…_p90` and `pair_overlap_distance`, see `overlap_table`; None for single sentences.
    overlaps: `task, corpus, top_percent, against, overlap`, in percent of the most frequent words.
    """

    sizes: list[_Row]
    diversity: list[_Row]
    overlaps: list[_Row]


def analyse(
    task: str,
    corpora: Mapping[str, Path],
    k: int | None,
    stop_words: frozenset[str],
    *,
    seed: int = 0,
    top_words: int = TOP_WORDS,
) -> Analysis:
    """Measure the corpora of one task. Corpora that are not given have no rows.

    Args:
        corpora: Parquet files by their name in `CORPORA`. The contextualized one has its most relevant rows first.
        k: number of sentences retrieved per anchor of the contextualized corpus.
        stop_words: the stop words of the language, which are not compared.
        top_words: number of most frequent words that are compared.
    """
    extents: dict[str, list[tuple[int | None, Extent]]] = {}
    for name, path in tqdm(corpora.items(), desc=f"{task}: words", unit="corpus"):
        percents = TOP_PERCENTS if name == CONTEXTUALIZED else (None,)
        rows = pq.read_metadata(path).num_rows
        ends = [-(-rows * (percent or 100) // 100) for percent in percents]  # rounded up
        counted = count_vocabulary(read_texts(path), ends, stop_words, top_words=top_words)
        extents[name] = list(zip(percents, counted, strict=True))
    whole = {name: by_percent[-1][1] for name, by_percent in extents.items()}
    return Analysis(
        sizes=[
            {
                "task": task,
                "corpus": name,
                "cases": extent.cases,
                "k": k if name == CONTEXTUALIZED else None,
                "text_bytes": extent.bytes,
                "file_bytes": corpora[name].stat().st_size,
            }
            for name, extent in whole.items()
        ],
        diversity=_diversity(task, corpora, {name: extent.words for name, extent in whole.items()}, seed),
        overlaps=[
            {
                "task": task,
                "corpus": name,
                "top_percent": percent,
                "against": against,
                "overlap": round(overlap(extent.top, whole[against].top), 2),
            }
            for against in whole
            if against != CONTEXTUALIZED
            for name, by_percent in extents.items()
            for percent, extent in by_percent
        ],
    )


def _diversity(task: str, corpora: Mapping[str, Path], words: Mapping[str, int], seed: int) -> list[_Row]:
    groups = [list(corpora)]
    if AUGMENTED in corpora:  # a second group without the task, which is small
        groups.append([name for name in corpora if name != TASK])
    alike = overlap_table(corpora, TASK)
    rows = []
    for group in groups:
        smallest = min(group, key=words.__getitem__)
        for name in tqdm(group, desc=f"{task}: diversity at the size of {smallest}", unit="corpus"):
            texts = matched_subset(read_texts(corpora[name]), words[smallest], seed)
            unigrams, bigrams = (round(100 * ratio, 2) for ratio in distinct_n(texts))
            rows.append(
                {
                    "task": task,
                    "matched_to": smallest,
                    "corpus": name,
                    "words": words[smallest],
                    "distinct_1": unigrams,
                    "distinct_2": bigrams,
                    **alike.get(name, dict.fromkeys(OVERLAPS)),
                }
            )
    return rows
