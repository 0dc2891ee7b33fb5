"""Splitting general text into clean sentences."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sentencex import segment

from textbook.files import atomic_write, digest, read_json, remove, write_json
from textbook.params import Corpus, Source
from textbook.ray_tasks import run_all
from textbook.tables.dataset_parts import DatasetPart, read_dataset
from textbook.tables.files import Part, table_format, table_size
from textbook.tables.read import as_text, read_rows_of
from textbook.word_bytes import count_words

SCHEMA = pa.schema([("sentence", pa.string())])
SUMMARY = "sentences.json"
GROUP_CHARACTERS = 16 << 20  # characters of text per row group
COUNTS = ("rows", "sentences", "kept")

_BREAK = re.compile(r"\n\s*\n|<br\s*/?>(?:\s*<br\s*/?>)*", re.IGNORECASE)


def split_sentences(text: str, language: str) -> Iterator[str]:
    """Split a text into sentences, in Unicode NFC and with runs of white space replaced by a single space.

    An empty line ends a sentence, and so does an HTML line break, which is common in corpora of reviews.
    """
    text = unicodedata.normalize("NFC", text)
    for paragraph in _BREAK.split(text) if "\n" in text or "<" in text else [text]:
        for sentence in segment(language, " ".join(paragraph.split())):
            if stripped := sentence.strip():
                yield stripped


def keep_within(sentences: pa.StringArray, bounds: Corpus) -> pa.StringArray:
    """The sentences whose numbers of words (as `words` divides them) and characters are within the bounds."""
    words = pa.array(count_words(sentences))
    fits = pc.and_(pc.greater_equal(words, bounds.min_words), pc.less_equal(words, bounds.max_words))
    return sentences.filter(pc.and_(fits, pc.less_equal(pc.utf8_length(sentences), bounds.max_characters)))


def write_sentences(
    parts: Mapping[Part | DatasetPart, str], folder: Path, source: Source, bounds: Corpus, code: str
) -> dict[str, int]:
    """Write one Parquet shard of sentences per part into `folder`, and a summary with their order and counts.

    A shard is named by a hash of everything that determines its sentences. After a call that was killed or failed, the
    next call reuses the finished shards. Other files in the folder are outdated and are removed.

    Args:
        parts: the parts of tables, or of a data set that is streamed, in their order, each with the hash of its file.
        folder: the output folder.
        source: the column and the rows to read.
        bounds: the language, and the bounds on the length of a sentence.
        code: the hash of the splitting code; shards of other code are made again.

    Returns:
        The number of `rows` read, of `sentences` in them, and of sentences `kept` because they are within the bounds.

    Raises:
        UserError: a table cannot be read, or lacks the column.
    """
    rules = [source.model_dump(exclude={"asset", "files"}), bounds.model_dump(exclude={"sources", "near_duplicates"})]
    shared = [*rules, code, version("sentencex")]
    shards = {}  # parts with the same content have the same name, so they are split once
    for part, content in parts.items():
        shards[f"{digest(content, *_identity(part), *shared)}.parquet"] = part
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.name not in shards:
            remove(path)
    missing = [(part, folder.resolve() / name) for name, part in shards.items() if not (folder / name).exists()]
    run_all(
        partial(_write_shard, source=source, bounds=bounds),
        missing,
        "sentences",
        sum(table_size(part.path) if isinstance(part, Part) else part.size for part, _ in missing),
    )
    metadata = [pq.read_metadata(folder / name).metadata for name in shards]
    counts = {name: sum(int(values[name.encode()]) for values in metadata) for name in COUNTS}
    write_json(folder / SUMMARY, {"shards": list(shards), **counts})
    return counts


def sentence_shards(path: Path) -> list[Path]:
    """The Parquet files of a source, in order: those of a folder written by `write_sentences`, or the single file."""
    return [path / name for name in read_json(path / SUMMARY)["shards"]] if path.is_dir() else [path]


def _identity(part: Part | DatasetPart) -> tuple[Any, ...]:
    """What determines the rows of a part, besides the content of its file."""
    return (table_format(part.path), part.start, part.stop) if isinstance(part, Part) else part.identity()


def _write_shard(item: tuple[Part | DatasetPart, Path], source: Source, bounds: Corpus) -> None:
    """Split one part. The counts are stored in the metadata of the shard, so they exist whenever the shard does."""
    part, target = item
    counts = dict.fromkeys(COUNTS, 0)
    buffer: list[str] = []
    with atomic_write(target) as temporary, pq.ParquetWriter(temporary, SCHEMA, compression="zstd") as writer:

        def flush() -> None:
            kept = keep_within(pa.array(buffer, pa.string()), bounds)
            writer.write_table(pa.table([kept], schema=SCHEMA))
            counts["sentences"] += len(buffer)
            counts["kept"] += len(kept)
            buffer.clear()

        characters = 0
        columns = [source.column]
        blocks = read_rows_of(part, columns, source) if isinstance(part, Part) else read_dataset(part, columns, source)
        for block in blocks:
            counts["rows"] += len(block)
            for text in as_text(part.path, block, source.column):
                if text is not None:
                    buffer += split_sentences(text, bounds.language)
                    characters += len(text)
                if characters >= GROUP_CHARACTERS:
                    flush()
                    characters = 0
        flush()
        writer.add_key_value_metadata({name: str(count) for name, count in counts.items()})
