"""Texts as they are shown."""

from textbook.reporting.samples import CHARACTERS, shown


def test_pairs_are_joined_and_long_texts_are_cut_between_words():
    exact = "x" * CHARACTERS
    short, kept, cut = shown(["two  blanks", exact, "word " * CHARACTERS], None)
    assert (short, kept) == ("two  blanks", exact)
    assert cut == "word " * 79 + "…"  # 79 words, a blank before the mark: 396 characters
    assert shown(["a"], ["b"]) == ["a | b"]
