"""From text to textbook in languages of many scripts: sentences, corpus, index, keywords and leaks."""

import unicodedata
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from textbook.corpus.merge import write_corpus
from textbook.corpus.sentences import write_sentences
from textbook.corpus.shards import read_shards
from textbook.params import Corpus, Index, Source
from textbook.retrieval.engines import build_index, open_index
from textbook.retrieval.rake import query
from textbook.retrieval.stop_words import read_stop_words
from textbook.tables.files import Part
from textbook.textbooks.book import write_book
from textbook.textbooks.contextualized import retrieve
from textbook.textbooks.leaks import LeakFilter

# By language: three sentences of the corpus (the first is about the anchor, the second is evaluation data), a word that
# is too short for a sentence, the anchor, and its keywords.
WORLD = {
    "hi": (
        ["यह किताब हर घर में होनी चाहिए।", "खाना ठंडा और फीका था आज।", "बगीचा सुंदर और शांत है यहाँ।"],
        "हाँ।",
        "किताब बहुत अच्छी है",
        ["किताब", "अच्छी"],
    ),
    "ar": (
        ["هذا الكتاب مفيد لكل طالب جديد.", "كان الطعام باردا جدا في المطعم.", "الحديقة هادئة وجميلة في الصباح."],
        "نعم.",
        "الكتاب و الطالب",
        ["الكتاب", "الطالب"],
    ),
    "vi": (
        ["Bộ phim này kể về một gia đình.", "Thức ăn ở đây nguội và nhạt.", "Khu vườn rất đẹp vào buổi sáng."],
        "Vâng.",
        "bộ phim hay",
        ["phim"],
    ),
    "de": (
        ["Das Buch gehört in jedes Haus.", "Das Essen war kalt und fade.", "Der Garten ist schön und ruhig."],
        "Ja.",
        "Ein BUCH über Straßen",
        ["buch", "straßen"],
    ),
    "zh": (
        ["这部电影的情节非常精彩。", "餐厅的饭菜又冷又难吃。", "花园里的早晨很安静。"],
        "是。",
        "电影情节",
        ["电影", "情节"],
    ),
    "ja": (
        ["この映画の物語は素晴らしい。", "料理は冷たくて美味しくない。", "庭の朝はとても静かです。"],
        "はい。",
        "映画の物語",
        ["映画", "物語"],
    ),
    "th": (["ภาพยนตร์เรื่องนี้สนุกมาก", "อาหารเย็นและไม่อร่อยเลย", "สวนสวยและเงียบสงบในตอนเช้า"], "ใช่", "ภาพยนตร์สนุก", ["สนุก"]),
}


@pytest.mark.parametrize("language", WORLD)
def test_a_textbook_is_made_without_evaluation_data(language: str, tmp_path: Path) -> None:
    sentences, short, anchor, keywords = WORLD[language]
    stop_words = read_stop_words(language)
    (tmp_path / "text.txt").write_text("\n".join([" ".join(sentences[:2]), short, *sentences, sentences[0].upper()]))
    if language == "th":  # a line is a sentence: Thai has no full stop
        (tmp_path / "text.txt").write_text("\n".join([*sentences, short, sentences[0]]))
    bounds = Corpus(sources={}, language=language, min_words=3, max_words=20, max_characters=200, near_duplicates=None)
    parts = {Part(str(tmp_path / "text.txt")): "hash"}
    write_sentences(parts, tmp_path / "sentences", Source(asset="web"), bounds, "code")
    write_corpus({"web": tmp_path / "sentences"}, tmp_path / "corpus")
    composed = [unicodedata.normalize("NFC", sentence) for sentence in sentences]
    assert [text for shard in read_shards(tmp_path / "corpus") for text in shard] == composed

    build_index(read_shards(tmp_path / "corpus"), tmp_path / "index", Index(engine="bm25s", k1=1.2, b=0.75), "hash")
    search = query(anchor, 20, stop_words)[0]
    assert set(keywords) <= set(search)
    assert stop_words.isdisjoint(search)
    anchors = [unicodedata.normalize("NFD", anchor), sentences[1]]
    merged = retrieve(open_index(tmp_path / "index", "hash"), anchors, k=1, phrases=20, stop_words=stop_words)
    leaks = LeakFilter([unicodedata.normalize("NFD", sentences[1]).upper()], 4)
    counts = write_book(tmp_path / "corpus", merged.order(), leaks, tmp_path / "book.parquet")
    assert counts["leaks"] == 1
    assert pq.read_table(tmp_path / "book.parquet")["sentence"].to_pylist() == composed[:1]
