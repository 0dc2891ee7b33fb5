"""Pairs made of corpus sentences are as alike as those of the task, whatever the task is."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import wasserstein_distance
from toy_pairs import TASKS, make_corpus, make_task

from textbook.files import digest
from textbook.textbooks.pairs.likeness import Likeness, likeness
from textbook.textbooks.pairs.paired import pair_up
from textbook.words import words

GROUP = 20


def pairs_of(texts: list[str], wanted: Likeness, seed: int = 0) -> tuple[list[dict[str, str]], list[int]]:
    rows = pa.table({"sentence": texts, "source": ["web"] * len(texts)})
    keys = np.arange(len(texts), dtype=np.int64)
    book, chosen = pair_up(rows, keys // GROUP, wanted, keys, seed)
    return book.to_pylist(), chosen.tolist()


def measured(book: list[dict[str, str]]) -> Likeness:
    return likeness([row["sentence"] for row in book], [row["sentence2"] for row in book])


@pytest.mark.parametrize("task", TASKS)
def test_pairs_are_as_alike_as_those_of_the_task(task: str) -> None:
    wanted = likeness(*make_task(task))
    book, _ = pairs_of(make_corpus(4_000), wanted)
    made = measured(book)
    assert len(book) == 2_000
    assert wasserstein_distance(wanted.overlap, made.overlap) < 0.03
    assert wasserstein_distance(wanted.order, made.order) < 0.06
    assert wasserstein_distance(wanted.length, made.length) < 0.25
    assert (made.length > 0).mean() == pytest.approx((wanted.length > 0).mean(), abs=0.05)
    assert (made.length < 0).mean() == pytest.approx((wanted.length < 0).mean(), abs=0.05)
    # the overlap is right for each ratio of lengths, too
    for low, high in ((-9, -0.5), (-0.5, 0.5), (0.5, 9)):
        parts = [each.overlap[(each.length > low) & (each.length < high)] for each in (wanted, made)]
        if min(map(len, parts)) > 50:
            assert wasserstein_distance(*parts) < 0.05


def test_most_short_texts_of_unlike_parts_are_made_of_a_part() -> None:
    book, _ = pairs_of(make_corpus(2_000), likeness(*make_task("premise")))
    assert sum(row["made"] == "part" for row in book) > 0.8 * len(book)


@pytest.mark.parametrize("task", TASKS)
def test_a_sentence_is_in_one_pair_and_the_words_come_from_its_group(task: str) -> None:
    texts = make_corpus(400)
    book, chosen = pairs_of(texts, likeness(*make_task(task)))
    assert len(set(chosen)) == len(chosen) == 200
    for row, number in zip(book, chosen, strict=True):
        group = texts[number // GROUP * GROUP : number // GROUP * GROUP + GROUP]
        long, short = sorted((row["sentence"], row["sentence2"]), key=lambda text: -len(words(text)))
        assert set(words(long + " " + short)) <= set(words(" ".join(group)))
        if row["made"] == "real":
            assert {row["sentence"], row["sentence2"]} <= set(group)
        else:
            assert any(side.startswith(texts[number]) for side in (row["sentence"], row["sentence2"]))
            assert words(row["sentence"]) != words(row["sentence2"])


@pytest.mark.parametrize("swapped", [False, True])
def test_no_text_is_a_copy_even_if_those_of_the_task_are(swapped: bool) -> None:
    text = " ".join("abcdefghijklmnopqrst")
    book, _ = pairs_of(make_corpus(200), likeness([text] * 9, [f"{text[2:]} a" if swapped else text] * 9))
    assert len(book) == 100
    assert not any(words(row["sentence"]) == words(row["sentence2"]) for row in book)
    assert np.median(measured(book).overlap) > 0.85


def test_a_neighbour_in_the_corpus_comes_first() -> None:
    wanted = likeness(["a b c d e f"] * 9, ["a b c d x y"] * 9)  # an overlap of 0.5
    rare = [f"{' '.join(words(text)[:5])} one two" for text in make_corpus(GROUP - 2)]
    texts = ["Red green blue is it.", *rare, "Was red green blue."]
    book, chosen = pairs_of(texts, wanted)
    first = book[chosen.index(0)]
    assert (first["sentence"], first["sentence2"], first["made"]) == (texts[0], texts[-1], "real")


def test_a_written_text_keeps_spelling_and_punctuation() -> None:
    wanted = likeness(["a b c d e f g h i j"], ["a b c d e f g h i x"])
    texts = ["“It’s the Über-film,” they said, and (quite) loved it.", "A river."]
    ((row, *_), _) = pairs_of(texts, wanted)
    assert (row["sentence"], row["made"]) == (texts[0], "written")
    assert row["sentence2"].endswith(".")
    kept = sum(part in row["sentence2"] for part in ("It’s", "Über-", "said, ", "(quite) "))
    assert kept >= 3


def test_scripts_without_spaces_get_no_spaces() -> None:
    wanted = likeness(["a b c d e"], ["a b c d x"])
    texts = ["我们今天去看电影了。", "他昨天在河边散步。"]
    ((row, *_), _) = pairs_of(texts, wanted)
    assert " " not in row["sentence2"]
    assert 0 < likeness([row["sentence"]], [row["sentence2"]]).overlap[0] < 1


@pytest.mark.parametrize("texts", [[], ["One text only."], ["!!!", "..."], ["!!!", "A text."], ["A text.", "!!!"]])
def test_nothing_to_pair_gives_no_pairs(texts: list[str]) -> None:
    assert pairs_of(texts, likeness(["a b"], ["a c"])) == ([], [])


def test_a_group_of_equal_words_still_gives_texts() -> None:
    book, _ = pairs_of(["a b", "b a", "a", "a a b"], likeness(["x y"], ["z w"]))
    assert all(words(row["sentence"]) and words(row["sentence2"]) for row in book)


def test_only_the_seed_and_the_keys_decide() -> None:
    texts, wanted = make_corpus(200), likeness(*make_task("paraphrase"))
    book, _ = pairs_of(texts, wanted)
    assert pairs_of(texts, wanted)[0] == book
    assert pairs_of(texts, wanted, seed=1)[0] != book
    part = pa.table({"sentence": texts[100:], "source": ["web"] * 100})
    keys = np.arange(100, 200, dtype=np.int64)
    assert pair_up(part, keys // GROUP, wanted, keys, 0)[0].to_pylist() == book[len(book) // 2 :]


def test_other_processes_make_the_same_pairs() -> None:
    code = "from test_pair_up import digest_of_pairs; print(digest_of_pairs())"
    path = os.pathsep.join([*sys.path, str(Path(__file__).parent)])
    for seed, threads in (("1", "1"), ("2", "2")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "NUMBA_NUM_THREADS": threads, "PYTHONPATH": path}
        printed = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert printed.stdout == f"{digest_of_pairs()}\n", printed.stderr


def digest_of_pairs() -> str:
    return digest(pairs_of(make_corpus(200), likeness(*make_task("premise"))))
