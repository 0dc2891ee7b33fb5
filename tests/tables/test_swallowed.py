"""Telling texts with line breaks from rows that a lone quote has swallowed, over generated files."""

import random
from pathlib import Path

import pytest
from toy_tables import read_texts, refusal

WORDS = ["the", "soup", "was", "warm", "and", "good,", "bread", "came", "late", "but", "we", "it,", "all"]


def line(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(2, 12)))


@pytest.mark.parametrize("seed", range(30))
def test_real_texts_with_line_breaks_are_read(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    texts = ["\n".join(line(rng) for _ in range(rng.randint(1, 4))) for _ in range(200)]
    rows = [(f'"{text}"', str(rng.randint(0, 1))) for text in texts]
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    assert read_texts(tmp_path / "a.csv") == texts


@pytest.mark.parametrize("seed", range(30))
def test_swallowed_rows_are_refused(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    texts = [line(rng).replace(",", "") for _ in range(200)]
    first = rng.randint(0, 190)
    last = first + rng.randint(1, 8)
    texts[first], texts[last] = f'"{texts[first]}', f'{texts[last]}"'
    rows = [(text, str(rng.randint(0, 1))) for text in texts]
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    assert "looks like a row by itself" in refusal(tmp_path / "a.csv")
