"""Tasks in other languages, through the stages: task, corpus, index and textbook, with Unicode in any form."""

import csv
import random
import unicodedata

import pyarrow.parquet as pq
import pytest
from toy_project import make_project

# By language: words about books, words about food, and a frame that makes a sentence of a word and a number.
LANGUAGES = {
    "hi": (["किताब", "कहानी", "लेखक", "पन्ना"], ["खाना", "रोटी", "चावल", "मिठाई"], "मैंने कल {0} देखी और {1} बार सोचा।"),
    "ar": (["كتاب", "قصة", "كاتب", "صفحة"], ["طعام", "خبز", "أرز", "حلوى"], "رأيت أمس {0} جديد رقم {1} في المدينة."),
    "vi": (["sách", "truyện", "trang", "thơ"], ["phở", "bánh", "cơm", "chè"], "Hôm qua tôi thấy {0} mới số {1} ở chợ."),
    "de": (
        ["Bücher", "Märchen", "Wörter", "Verse"],
        ["Brötchen", "Käse", "Nüsse", "Öl"],
        "Gestern sah ich {0} Nummer {1} im Haus.",
    ),
    "zh": (["小说", "故事", "作家", "书籍"], ["米饭", "面条", "蛋糕", "牛奶"], "昨天我在城里看见了{0}第{1}号。"),
}


def write_texts(folder, language: str) -> list[str]:
    """Write a labelled task, decomposed, and a corpus, composed, that repeats its validation texts. Returns those."""
    rng = random.Random(0)
    books, meals, frame = LANGUAGES[language]
    rows = [
        (frame.format(rng.choice((books, meals)[label]), number), label) for number in range(120) for label in (0, 1)
    ]
    validation = rows[:40]
    for name, part in {"validation": validation, "train": rows}.items():  # training repeats validation
        path = folder / "toy" / language / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            form = "NFD" if name == "validation" else "NFC"
            writer.writerows((unicodedata.normalize(form, text), label) for text, label in part)
    general = [frame.format(rng.choice(books + meals), 1000 + number) for number in range(300)]
    texts = [text for text, _ in validation]
    (folder / "toy" / f"{language}.txt").write_text("\n".join([*general, *texts, *general[:5]]))
    return texts


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_textbook_has_no_validation_text_in_any_form(language, tmp_path, tiny_teacher):
    project = make_project(tmp_path, tiny_teacher)
    texts = {unicodedata.normalize("NFC", text) for text in write_texts(tmp_path, language)}
    project.change(
        assets__path__own={"path": f"toy/{language}"},
        assets__path__web={"path": f"toy/{language}.txt"},
        assets__masked_lm={},
        tasks={"own": {"asset": "own", "text": ["text"], "label": "label", "labels": ["book", "meal"]}},
        corpus__sources={"web": {"asset": "web"}},
        corpus__language=language,
        textbooks__augmented={},
        textbooks__leak_ngram=20,
        sweep__textbooks=["general", "contextualized"],
    )
    process = project.run("dvc", "repro", "contextualized", "general")
    assert process.returncode == 0, process.stdout[-3000:] + process.stderr[-3000:]
    data = tmp_path / "data"
    assert pq.read_metadata(data / "tasks/own/train.parquet").num_rows == 240 - 40, "training repeats validation"
    corpus = pq.read_table(data / "corpus" / "00000.parquet")["sentence"].to_pylist()
    assert len(corpus) == len(set(corpus)) == 340
    for kind in ("contextualized", "general"):
        book = pq.read_table(data / f"textbooks/own/{kind}.parquet")["sentence"].to_pylist()
        assert book
        assert texts.isdisjoint(book)
    figures = project.json("data/textbooks/own/contextualized.json")
    assert figures["anchors_without_keywords"] == figures["anchors_without_hits"] == 0
