"""General text to clean sentences."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from sentencex import segment

from textbook.files import write_aside
from textbook.tables import read_batches

_BREAK = re.compile(r"\n\s*\n|<br\s*/?>(?:\s*<br\s*/?>)*", re.IGNORECASE)


def split_sentences(text: str, language: str) -> Iterator[str]:
    """The sentences of a text: Unicode in NFC, runs of white space as one blank.

    An empty line and the HTML line break, which review corpora are full of, end a sentence.
    """
    for paragraph in _BREAK.split(unicodedata.normalize("NFC", text)):
        for sentence in segment(language, " ".join(paragraph.split())):
            if clean := sentence.strip():
                yield clean


def within(sentence: str, min_words: int, max_words: int) -> bool:
    """Whether a sentence has an allowed number of words (as white space separates them)."""
    return min_words <= len(sentence.split()) <= max_words


def write_sentences(
    tables: Iterable[Path],
    target: Path,
    *,
    column: str,
    where: dict[str, str | int],
    language: str,
    min_words: int,
    max_words: int,
) -> dict[str, int]:
    """Split the text of `tables` into sentences, as a Parquet file with the one column `sentence`.

    Returns:
        How many `rows` were read, `sentences` were found, and of these `kept` within the bounds.

    Raises:
        UserError: a table cannot be read, or lacks the column.
    """
    counts = {"rows": 0, "sentences": 0, "kept": 0}
    schema = pa.schema([("sentence", pa.string())])
    with write_aside(target) as aside, pq.ParquetWriter(aside, schema, compression="zstd") as writer:
        for table in tables:
            for batch in read_batches(table, [column], where):
                texts = [text for text in batch.column(0).to_pylist() if text is not None]
                found = [sentence for text in texts for sentence in split_sentences(str(text), language)]
                kept = [sentence for sentence in found if within(sentence, min_words, max_words)]
                writer.write_batch(pa.record_batch({"sentence": pa.array(kept, pa.string())}))
                counts["rows"] += batch.num_rows
                counts["sentences"] += len(found)
                counts["kept"] += len(kept)
    return counts
