"""Building and opening an index by the name of its engine; an index belongs to one corpus and refuses another."""

from collections.abc import Iterable
from pathlib import Path

from textbook import params
from textbook.errors import UserError
from textbook.files import read_json, write_aside, write_json
from textbook.retrieval.hits import Index

SUMMARY = "index.json"


def build_index(shards: Iterable[Iterable[str]], folder: Path, settings: params.Index, corpus_sha256: str) -> None:
    """Index the shards of a corpus, whose sentences have their positions as ids; whole or not at all."""
    with write_aside(folder) as aside:
        aside.mkdir()
        match settings.engine:
            case "bm25s":
                from textbook.retrieval.bm25 import build_bm25

                build_bm25(shards, aside, k1=settings.k1, b=settings.b)
            case "whoosh":
                from textbook.retrieval.whoosh import build_whoosh

                build_whoosh(shards, aside)
        write_json(aside / SUMMARY, {**settings.model_dump(), "corpus_sha256": corpus_sha256})


def open_index(folder: Path, corpus_sha256: str) -> Index:
    """Open an index.

    Raises:
        UserError: there is none, or it was made from another corpus.
    """
    if not (folder / SUMMARY).is_file():
        raise UserError(f"{folder}: is not an index; `dvc repro index` makes it")
    summary = read_json(folder / SUMMARY)
    if summary["corpus_sha256"] != corpus_sha256:
        raise UserError(f"{folder}: was made from another corpus; `dvc repro index` makes it anew")
    # An engine is imported when it is used: numba and Whoosh don't need each other.
    if summary["engine"] == "whoosh":
        from textbook.retrieval.whoosh import open_whoosh

        return open_whoosh(folder, k1=summary["k1"], b=summary["b"])
    from textbook.retrieval.bm25 import open_bm25

    return open_bm25(folder)
