"""The augmented textbook follows the rules of TinyBERT."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from conftest import MEALS, make_meals
from textbook.errors import UserError
from textbook.params import Augmented
from textbook.retrieval.stop_words import read_stop_words
from textbook.textbooks.augmentation import variants as module
from textbook.textbooks.augmentation.candidates import MaskedLm, load_masked_lm
from textbook.textbooks.augmentation.variants import Slot, eligible, keep_slots, vary, write_augmented
from textbook.textbooks.augmentation.variants import find_slots as find_slots_with
from textbook.textbooks.augmentation.vectors import Vectors, read_vectors
from textbook.textbooks.book import PAIR_SCHEMA, SCHEMA
from textbook.textbooks.leaks import LeakFilter

NO_LEAKS = LeakFilter([], 4)
STOP_WORDS = read_stop_words("en")
find_slots = partial(find_slots_with, stop_words=STOP_WORDS)
SETTINGS = {
    "masked_lm": "lm",
    "vectors": "glove",
    "varied": None,
    "variants": 6,
    "probability": 0.4,
    "candidates": 5,
    "batch": 16,
    "seed": 0,
}
VECTORS = ["catish 1 0", "doglet 0.9 0.1", "birdy 0.8 0.2", "zebra 0.7 0.3", "bread 0 1", "cake 0.1 0.9"]

Row = dict[str, Any]


@pytest.fixture(scope="module")
def lm(masked_lm: Path) -> MaskedLm:
    return load_masked_lm(masked_lm, torch.device("cpu"))


@pytest.fixture
def vectors(tmp_path: Path) -> Vectors:
    (tmp_path / "glove.txt").write_text("".join(f"{line}\n" for line in VECTORS))
    return read_vectors(tmp_path / "glove.txt")


class Book:
    """Writes an augmented textbook and reads it back."""

    def __init__(self, lm: MaskedLm, vectors: Vectors, folder: Path) -> None:
        self.lm, self.vectors, self.path = lm, vectors, folder / "book.parquet"

    def write(
        self, first: Sequence[str], second: Sequence[str] | None = None, leaks: LeakFilter = NO_LEAKS, **changes: Any
    ) -> list[Row]:
        settings = Augmented(**{**SETTINGS, **changes})
        slots = partial(
            find_slots,
            lm=self.lm,
            vectors=self.vectors,
            k=settings.candidates,
            batch=settings.batch,
        )
        self.counts = write_augmented(first, second, slots, leaks, self.path, settings)
        return list(pq.read_table(self.path).to_pylist())


@pytest.fixture
def book(lm: MaskedLm, vectors: Vectors, tmp_path: Path) -> Book:
    return Book(lm, vectors, tmp_path)


def by_word(sentence: str, slots: list[Slot]) -> dict[str, set[str]]:
    return {sentence[slot.start : slot.end]: set(slot.candidates) for slot in slots}


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("The cat is not a Dog.", ["cat", "Dog"]),  # stop words are excluded in any case
        ("don't stop 2nd 1999 R2D2 film", ["stop", "film"]),  # words of letters only
        ("well-made (great) “naïve” café", ["well", "made", "great", "naïve", "café"]),
        ("हिन्दी की किताब", ["हिन्दी", "की", "किताब"]),  # combining marks are parts of letters
        ("cafe\u0301 кафе́ 2кафе́", ["cafe\u0301", "кафе́"]),
        ("it is what it is", []),
        ("!? ...", []),
        ("", []),
    ],
)
def test_words_of_letters_that_are_not_stop_words_are_eligible(sentence: str, words: list[str]) -> None:
    assert [sentence[start:end] for start, end in eligible(sentence, STOP_WORDS)] == words


def test_single_token_words_get_predictions_and_other_words_get_neighbours(lm: MaskedLm, vectors: Vectors) -> None:
    sentence = "the horse likes (fresh) bread very much. catish"
    (slots,) = find_slots([sentence], lm, vectors, k=5, batch=8)
    candidates = by_word(sentence, slots)
    assert candidates["bread"] == set(MEALS["food"]), "predictions take precedence over word vectors"
    assert candidates["fresh"] == set(MEALS["taste"])
    assert candidates["catish"] == {"doglet", "birdy", "zebra", "cake", "bread"}


def test_k_limits_predictions_and_neighbours(lm: MaskedLm, vectors: Vectors) -> None:
    (slots,) = find_slots(["the catish likes fresh bread."], lm, vectors, k=2, batch=8)
    candidates = by_word("the catish likes fresh bread.", slots)
    assert candidates["catish"] == {"doglet", "birdy"}
    assert all(len(words) <= 2 for words in candidates.values())


def test_title_case_is_kept(lm: MaskedLm, vectors: Vectors) -> None:
    sentences = ["Catish likes fresh bread.", "the CATISH likes fresh bread."]
    title, upper = (
        by_word(sentence, slots)
        for sentence, slots in zip(sentences, find_slots(sentences, lm, vectors, k=2, batch=8), strict=True)
    )
    assert title["Catish"] == {"Doglet", "Birdy"}
    assert upper["CATISH"] == {"doglet", "birdy"}


def test_a_word_without_candidates_is_not_replaced(book: Book) -> None:
    rows = book.write(["unheardlet", "the unheardlet likes (fresh) bread very much."], probability=1.0)
    assert rows[0] == {"sentence": "unheardlet", "rank": 0, "score": None, "source": "original"}
    assert len(rows) > 2, "the other words of the second sentence have candidates"
    assert all("unheardlet" in row["sentence"] for row in rows)


SLOTS = [Slot(4, 7, ["dog", "cow"]), Slot(8, 13, []), Slot(14, 19, ["sour"])]


@pytest.mark.parametrize(
    ("probability", "expected"),
    [(0.0, {"the cat likes fresh."}), (1.0, {"the dog likes sour.", "the cow likes sour."})],
)
def test_each_word_is_replaced_with_the_given_probability(probability: float, expected: set[str]) -> None:
    assert set(vary("the cat likes fresh.", SLOTS, variants=50, probability=probability, seed=[0])) == expected


def test_words_are_replaced_independently_with_equally_likely_candidates() -> None:
    texts = vary("the cat likes fresh.", SLOTS, variants=4000, probability=0.4, seed=[1])
    share = {
        "first": sum("cat" not in variant for variant in texts) / 4000,
        "second": sum("sour" in variant for variant in texts) / 4000,
        "both": sum("sour" in variant and "cat" not in variant for variant in texts) / 4000,
        "dog": sum("dog" in variant for variant in texts) / 4000,
    }
    for name, expected in {"first": 0.4, "second": 0.4, "both": 0.16, "dog": 0.2}.items():
        deviation = (expected * (1 - expected) / 4000) ** 0.5
        assert abs(share[name] - expected) < 4 * deviation, share


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 5))
def test_fewer_variants_are_a_prefix_of_more(few: int, extra: int, seed: int) -> None:
    short, long = (
        vary("the cat likes fresh.", SLOTS, variants=count, probability=0.4, seed=[seed])
        for count in (few, few + extra)
    )
    assert short == long[:few]


@given(st.lists(st.tuples(st.sampled_from(["a-", "é ", "😀", " "]), st.sampled_from(["cat", "dog"])), max_size=6))
def test_text_outside_slots_is_unchanged(parts: list[tuple[str, str]]) -> None:
    sentence, slots = "", []
    for between, word in parts:
        sentence += between
        slots.append(Slot(len(sentence), len(sentence) + len(word), [word.upper()]))
        sentence += word
    (variant,) = vary(sentence, slots, variants=1, probability=1, seed=[0])
    assert variant == "".join(between + word.upper() for between, word in parts)


def test_originals_and_variants_are_written_once(book: Book) -> None:
    sentences = make_meals(30, seed=3)
    rows = book.write([*sentences, sentences[0]])
    assert pq.read_schema(book.path).equals(SCHEMA)
    texts = [row["sentence"] for row in rows]
    assert len(set(texts)) == len(texts)
    assert set(sentences) <= set(texts)
    assert {row["source"] for row in rows} == {"original", "augmented"}
    assert all((row["rank"] == 0) == (row["source"] == "original") for row in rows)
    assert {row["rank"] for row in rows} == set(range(7))
    assert all(row["score"] is None for row in rows)
    originals = sum(row["rank"] == 0 for row in rows)
    assert book.counts["sentences"] == len(rows)
    assert book.counts["originals"] == originals
    assert len(rows) + book.counts["duplicates"] == 31 + 6 * len(set(sentences))


def test_a_variant_replaces_words_by_their_candidates(book: Book) -> None:
    (original, *variants) = book.write(["the cat likes sour bread."], variants=40)
    assert original["sentence"] == "the cat likes sour bread."
    kinds = [{"the"}, *(set(MEALS[kind]) for kind in ("animal", "verb", "taste", "food"))]
    for variant in variants:
        assert variant["sentence"].endswith(".")
        for word, allowed in zip(variant["sentence"].removesuffix(".").split(), kinds, strict=True):
            assert word in allowed


FIRST = ["the cat likes sour bread.", "the dog wants sweet cake.", "the cow sees warm fish."]
SECOND = ["the bird finds plain meat.", "the horse takes fresh fruit.", "the cat likes sour bread."]


def test_a_variant_of_a_pair_changes_only_one_sentence(book: Book) -> None:
    rows = book.write(FIRST, SECOND, variants=20)
    assert pq.read_schema(book.path).equals(PAIR_SCHEMA)
    originals = list(zip(FIRST, SECOND, strict=True))
    pairs = [(row["sentence"], row["sentence2"]) for row in rows]
    assert [pair for pair, row in zip(pairs, rows, strict=True) if row["rank"] == 0] == originals
    assert len(set(pairs)) == len(pairs)
    for pair, row in zip(pairs, rows, strict=True):
        matches = [(pair[0] == first, pair[1] == second) for first, second in originals]
        assert (True, False) in matches or (False, True) in matches or (row["rank"] == 0 and (True, True) in matches)
    for first, second in originals:
        assert sum(pair[1] == second for pair in pairs) > 10, "too few variants of the first sentence"
        assert sum(pair[0] == first for pair in pairs) > 10, "too few variants of the second sentence"


@pytest.mark.parametrize("leak", ["The cat likes sour bread!", "Look, the bird finds plain meat again"])
def test_a_pair_leaks_if_either_sentence_does(book: Book, leak: str) -> None:
    all_rows = book.write(FIRST[:2], SECOND[:2], variants=20)
    leaks = LeakFilter([leak], 5)
    rows = book.write(FIRST[:2], SECOND[:2], leaks, variants=20)
    assert rows == [row for row in all_rows if not leaks.leaks(row["sentence"]) and not leaks.leaks(row["sentence2"])]
    assert 0 < len(rows) < len(all_rows)
    assert book.counts["leaks"] == len(all_rows) - len(rows)
    assert sum(row["rank"] == 0 for row in rows) == book.counts["originals"] == 1


def test_variants_that_equal_an_evaluation_sentence_are_left_out(book: Book) -> None:
    all_rows = book.write(FIRST[:1], variants=40)
    leak = all_rows[5]["sentence"]
    rows = book.write(FIRST[:1], leaks=LeakFilter([leak.upper()], 8), variants=40)
    assert [row["sentence"] for row in rows] == [row["sentence"] for row in all_rows if row["sentence"] != leak]


@pytest.mark.parametrize(("batch", "chunk"), [(1, 1), (3, 2), (1000, 7)])
def test_rows_do_not_depend_on_batch_and_chunk(
    book: Book, batch: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = make_meals(9, seed=4), make_meals(9, seed=5)
    expected = book.write(first, second)
    monkeypatch.setattr(module, "CHUNK", chunk)
    assert book.write(first, second, batch=batch) == expected


def test_only_the_given_number_of_sentences_gets_variants(book: Book) -> None:
    sentences = make_meals(12, seed=6)
    three, five = book.write(sentences, varied=3), book.write(sentences, varied=5)
    assert set(sentences) <= {row["sentence"] for row in three}
    assert book.write(sentences, varied=1000) == book.write(sentences)
    assert 0 < sum(row["rank"] > 0 for row in three) <= 3 * 6
    assert {row["sentence"] for row in three} < {row["sentence"] for row in five}, "the selection is not nested"


def test_cached_slots_are_not_computed_again(book: Book, tmp_path: Path) -> None:
    calls: list[list[str]] = []

    def find(sentences: Sequence[str]) -> list[list[Slot]]:
        calls.append(list(sentences))
        return find_slots(sentences, book.lm, book.vectors, k=5, batch=8)

    cached = keep_slots(find, tmp_path / "cache")
    first, second = make_meals(4, seed=7), make_meals(4, seed=8)
    assert cached(first) == cached(first) == find_slots(first, book.lm, book.vectors, k=5, batch=8)
    assert cached(second) != cached(first)
    assert calls == [first, second]


def test_the_result_depends_only_on_the_seed(book: Book) -> None:
    assert book.write(FIRST, seed=1) == book.write(FIRST, seed=1) != book.write(FIRST, seed=2)


def test_an_empty_textbook_is_refused(book: Book) -> None:
    with pytest.raises(UserError, match=r"^book\.parquet: no sentence of the task is left for this textbook$"):
        book.write(["It is."], leaks=LeakFilter(["it is"], 4))
