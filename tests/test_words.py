"""Splitting text into words, in the scripts of the world, and telling whether two texts are the same."""

import re
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from textbook.words import INVISIBLE, MARKS, SIMPLE, canonical, word_spans, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A gripping film", ["a", "gripping", "film"]),
        ("don't", ["don't"]),
        ("don’t", ["don't"]),  # a typographic apostrophe does not change the word
        ("rock'n'roll", ["rock'n'roll"]),
        ("the dogs' 'quoted' tails", ["the", "dogs", "quoted", "tails"]),
        ("well-made, half_baked", ["well", "made", "half", "baked"]),
        ("2001: a space odyssey", ["2001", "a", "space", "odyssey"]),
        ("Amélie ÜBER naïve", ["amélie", "über", "naïve"]),
        ("... !? --", []),
        ("", []),
    ],
)
def test_words_are_split_and_lower_cased(text: str, expected: list[str]) -> None:
    assert words(text) == expected


WORLD = {
    "Hindi": ("हिन्दी में लिखी किताब।", ["हिन्दी", "में", "लिखी", "किताब"]),
    "Hindi with a joiner": ("क्\u200dष और", ["क्\u200dष", "और"]),
    "Tamil": ("தமிழ் மொழி", ["தமிழ்", "மொழி"]),
    "Arabic with vowel signs": ("كِتَابٌ جَيِّدٌ، نعم", ["كِتَابٌ", "جَيِّدٌ", "نعم"]),
    "Persian with a non-joiner": ("می\u200cخواهم بروم", ["می\u200cخواهم", "بروم"]),
    "Hebrew with vowel points": ("שָׁלוֹם עולם", ["שָׁלוֹם", "עולם"]),
    "Vietnamese, decomposed": (unicodedata.normalize("NFD", "Việt Nam đẹp"), ["việt", "nam", "đẹp"]),
    "German with a soft hyphen": ("Donau\u00addampf\u00adschiff", ["donaudampfschiff"]),
    "Greek in capitals": ("ΟΔΟΣ ΑΒ", ["οδοσ", "αβ"]),
    "Turkish": ("İyi bir film", ["iyi", "bir", "film"]),
    "Korean": ("이 영화는 재미있다.", ["이", "영화는", "재미있다"]),
    "Chinese": ("我喜欢这部电影，情节精彩。", ["我", "喜欢", "这", "部", "电影", "情节", "精彩"]),
    "Japanese": ("東京都に住んでいる", ["東京", "都", "に", "住", "んで", "いる"]),
    "Thai": ("ภาพยนตร์สนุกมาก", ["ภาพยนตร์", "สนุก", "มาก"]),
    "Chinese with Latin letters": ("用Python3编程序", ["用", "python3", "编", "程序"]),
    "zero-width spaces": ("one\u200btwo", ["one", "two"]),
    "a mark without a letter": ("great ❤\ufe0f film \u0301", ["great", "film"]),
    "an underscore": ("हिन्दी_में", ["हिन्दी", "में"]),
}


@pytest.mark.parametrize("kind", WORLD)
def test_words_of_the_scripts_of_the_world(kind: str) -> None:
    text, expected = WORLD[kind]
    assert words(text) == expected
    assert words(unicodedata.normalize("NFD", text)) == expected


def test_english_words_are_those_of_letters_digits_and_apostrophes() -> None:
    text = "It’s 20% “off” — don't miss O'Neill's naïve café, e.g. £3.50; rock_n_roll… №5 x² ½"
    assert words(text) == re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.lower().replace("’", "'"))


def test_the_segmenter_is_loaded_only_for_scripts_without_spaces() -> None:
    code = (
        "import sys; from textbook.words import words; words('naïve हिन्दी'); print('icu4py' in sys.modules);"
        "words('漢字'); print('icu4py' in sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["False", "True"]


scripts = st.text("aZ1é'’_ .\u0301\u00ad\u200c\u200b\ufe0fकि्ทย์ไก่漢字かがカ\u3099한글İΣς", max_size=12)


@given(st.text() | scripts)
@example("㐀\u0e48\u094d")  # the marks change places in NFC
@example("漢\u0fa2カé")  # a mark becomes two in NFC
def test_spans_are_those_of_the_words(text: str) -> None:
    spelled = [text[start:end] for start, end in word_spans(text)]
    hidden = re.compile(f"[{INVISIBLE}]")
    assert [hidden.sub("", canonical(hidden.sub("", word)).replace("’", "'")) for word in spelled] == [
        canonical(hidden.sub("", word)) for word in words(text)
    ]


@given(st.text() | scripts)
def test_the_same_text_has_the_same_words(text: str) -> None:
    assert words(canonical(text)) == words(text) == words(unicodedata.normalize("NFD", text))


def test_text_that_is_split_the_simple_way_has_no_marks_and_no_invisible_characters() -> None:
    simple = "".join(filter(SIMPLE.fullmatch, map(chr, range(0x110000))))
    assert re.findall(f"[{MARKS}{INVISIBLE}]", simple) == []
    assert SIMPLE.fullmatch("“Naïve” – Ελληνικά, русский, عربي 한국어 Việt")


@given(st.text() | scripts)
def test_splitting_again_changes_nothing(text: str) -> None:
    once = words(text)
    assert words(" ".join(once)) == once


@given(st.lists(st.text("abcé'’", min_size=1).filter(words)), st.sampled_from([" ", "\n", ", ", " - ", "_"]))
def test_separators_do_not_matter(parts: list[str], separator: str) -> None:
    assert words(separator.join(parts)) == [word for part in parts for word in words(part)]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Cafe\u0301 noir", "caf\u00e9 NOIR"),
        ("two\u00a0 blanks\u3000\there ", "two blanks here"),
        ("J\u030c", "\u01f0"),  # the lower case is composed
        ("İyi", "iyi"),
        ("I\u0307yi", "iyi"),
        ("हिन्दी ", "हिन्दी"),
    ],
)
def test_composition_blanks_and_case_do_not_change_a_text(text: str, same: str) -> None:
    assert canonical(text) == canonical(same)


@pytest.mark.parametrize(("text", "other"), [("Maße", "Masse"), ("ab", "a b"), ("a-b", "a b"), ("wow!", "wow")])
def test_letters_and_punctuation_distinguish_texts(text: str, other: str) -> None:
    assert canonical(text) != canonical(other)


@given(st.text() | st.text("aIİi\u0307\u0323J\u030c \n\u00a0Σσς"))
def test_a_canonical_text_is_its_own_canonical_form(text: str) -> None:
    form = canonical(text)
    assert canonical(form) == form == unicodedata.normalize("NFC", form)
    assert canonical(unicodedata.normalize("NFD", text)) == form
