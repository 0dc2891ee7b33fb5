"""General text to clean sentences."""

import re
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sentencex import segment

from textbook import lines, tables
from textbook.files import digest, hash_code, read_json, remove, write_aside, write_json
from textbook.parallel import run_all
from textbook.tables import Part, read_batches, table_format, table_size

SCHEMA = pa.schema([("sentence", pa.string())])
SUMMARY = "sentences.json"
GROUP_CHARACTERS = 16 << 20  # of text in a row group
COUNTS = ("rows", "sentences", "kept")

_BREAK = re.compile(r"\n\s*\n|<br\s*/?>(?:\s*<br\s*/?>)*", re.IGNORECASE)


@dataclass(frozen=True)
class Rules:
    """What decides which sentences a table gives; see `params.Source` and `params.Corpus`."""

    column: str
    where: Mapping[str, str | int]
    language: str
    min_words: int
    max_words: int
    max_characters: int


def split_sentences(text: str, language: str) -> Iterator[str]:
    """The sentences of a text: Unicode in NFC, runs of white space as one blank.

    An empty line and the HTML line break, which review corpora are full of, end a sentence.
    """
    text = unicodedata.normalize("NFC", text)
    for paragraph in _BREAK.split(text) if "\n" in text or "<" in text else [text]:
        for sentence in segment(language, " ".join(paragraph.split())):
            if clean := sentence.strip():
                yield clean


def keep_within(sentences: pa.StringArray, rules: Rules) -> pa.StringArray:
    """The sentences with an allowed number of words (as blanks separate them) and characters."""
    words = pc.add(pc.count_substring(sentences, " "), 1)
    fits = pc.and_(pc.greater_equal(words, rules.min_words), pc.less_equal(words, rules.max_words))
    return sentences.filter(pc.and_(fits, pc.less_equal(pc.utf8_length(sentences), rules.max_characters)))


def write_sentences(parts: Mapping[Part, str], folder: Path, rules: Rules) -> dict[str, int]:
    """Fill `folder` with one Parquet shard of sentences for each part, and with their order and counts.

    A shard is named by what decides its sentences. So a call after one that was killed or met an error goes on with the
    next shard, and what else lies in the folder is out of date and is removed.

    Args:
        parts: the parts of the tables in their order, each with the hash of its file.
        folder: where the shards go.
        rules: which text is read, how it is split, and which sentences are kept.

    Returns:
        How many `rows` were read, `sentences` were found, and of these `kept` within the bounds.

    Raises:
        UserError: a table cannot be read, or lacks the column.
    """
    shared = [asdict(rules), hash_code(sys.modules[__name__], tables, lines), version("sentencex")]
    shards = {}  # parts that hold the same have one name: they are split once
    for part, content in parts.items():
        shards[f"{digest(content, table_format(part.path), part.start, part.stop, *shared)}.parquet"] = part
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.name not in shards:
            remove(path)
    todo = [(part, folder.resolve() / name) for name, part in shards.items() if not (folder / name).exists()]
    run_all(partial(_write_shard, rules=rules), todo, "sentences", sum(table_size(part.path) for part, _ in todo))
    found = [pq.read_metadata(folder / name).metadata for name in shards]
    counts = {name: sum(int(metadata[name.encode()]) for metadata in found) for name in COUNTS}
    write_json(folder / SUMMARY, {"shards": list(shards), **counts})
    return counts


def sentence_shards(path: Path) -> list[Path]:
    """The Parquet files of a source in their order: those of a folder of `write_sentences`, or the one file."""
    return [path / name for name in read_json(path / SUMMARY)["shards"]] if path.is_dir() else [path]


def _write_shard(item: tuple[Part, Path], rules: Rules) -> None:
    """Split one part. The counts are in the file's own metadata, so that they are there if it is."""
    part, target = item
    counts = dict.fromkeys(COUNTS, 0)
    held: list[str] = []
    with write_aside(target) as aside, pq.ParquetWriter(aside, SCHEMA, compression="zstd") as writer:

        def flush() -> None:
            kept = keep_within(pa.array(held, pa.string()), rules)
            writer.write_table(pa.table([kept], schema=SCHEMA))
            counts["sentences"] += len(held)
            counts["kept"] += len(kept)
            held.clear()

        characters = 0
        for batch in read_batches(part, [rules.column], rules.where, texts=[rules.column]):
            counts["rows"] += batch.num_rows
            for text in batch.column(0).to_pylist():
                if text is not None:
                    held += split_sentences(str(text), rules.language)
                    characters += len(str(text))
                if characters >= GROUP_CHARACTERS:
                    flush()
                    characters = 0
        flush()
        writer.add_key_value_metadata({name: str(count) for name, count in counts.items()})
