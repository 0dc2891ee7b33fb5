"""What the textbooks of a task are made of: the paper's Table 1 (sizes), Table 3 (diversity) and Figure 3 (overlap)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from tqdm import tqdm

from textbook.evaluation.diversity import distinct_n, matched_subset
from textbook.evaluation.vocabulary import TOP_WORDS, Extent, measure, overlap, read_texts

TASK, AUGMENTED, CONTEXTUALIZED, GENERAL = "task", "augmented", "contextualized", "general"
CORPORA = (TASK, AUGMENTED, CONTEXTUALIZED, GENERAL)
TOP_PERCENTS = (20, 40, 60, 80, 100)

Row = dict[str, Any]


@dataclass(frozen=True)
class Analysis:
    """Rows of the three tables. `k` and `top_percent` are None where they mean nothing.

    sizes: `task, corpus, cases, k, text_bytes` (as plain text), `file_bytes` (as it is on disk).
    diversity: `task, matched_to, corpus, words, distinct_1, distinct_2`; the last two in percent, on random texts of
        about `words` words: as many as the smallest corpus of the group, `matched_to`, has.
    overlaps: `task, corpus, top_percent, against, overlap`, in percent of the most frequent words.
    """

    sizes: list[Row]
    diversity: list[Row]
    overlaps: list[Row]


def analyse(
    task: str, corpora: Mapping[str, Path], k: int | None, *, seed: int = 0, top_words: int = TOP_WORDS
) -> Analysis:
    """Measure the corpora of one task; what is not there has no row.

    Args:
        corpora: Parquet files by their name in `CORPORA`; the contextualized one with the most relevant rows first.
        k: sentences retrieved for each anchor of the contextualized one.
    """
    parts: dict[str, list[tuple[int | None, Extent]]] = {}
    for name, path in tqdm(corpora.items(), desc=f"{task}: words", unit="corpus"):
        percents = TOP_PERCENTS if name == CONTEXTUALIZED else (None,)
        rows = pq.read_metadata(path).num_rows
        ends = [-(-rows * (percent or 100) // 100) for percent in percents]  # rounded up
        parts[name] = list(zip(percents, measure(read_texts(path), ends, top_words=top_words), strict=True))
    whole = {name: found[-1][1] for name, found in parts.items()}
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
            for name, found in parts.items()
            for percent, extent in found
        ],
    )


def _diversity(task: str, corpora: Mapping[str, Path], words: Mapping[str, int], seed: int) -> list[Row]:
    groups = [list(corpora)]
    if AUGMENTED in corpora:  # once more without the task, which is small
        groups.append([name for name in corpora if name != TASK])
    rows = []
    for group in groups:
        smallest = min(group, key=words.__getitem__)
        for name in tqdm(group, desc=f"{task}: diversity as of {smallest}", unit="corpus"):
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
                }
            )
    return rows
