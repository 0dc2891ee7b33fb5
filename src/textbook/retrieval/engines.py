"""Build and open an index with the configured engine. An index records the hash of its corpus."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from textbook import params
from textbook.errors import UserError
from textbook.files import atomic_write, read_json, write_json
from textbook.retrieval.hits import SearchIndex

SUMMARY = "index.json"


def build_index(
    shards: Sequence[Iterable[str]],
    folder: Path,
    settings: params.Index,
    corpus_sha256: str,
    *,
    size: int = 0,
    kept: Sequence[Path] | None = None,
) -> None:
    """Index the shards of a corpus atomically. The id of a sentence is its position in the corpus.

    Args:
        shards: the sentences of each shard.
        folder: the index; an existing one is replaced on success.
        settings: the engine and the parameters of BM25.
        corpus_sha256: hash of the corpus, which `open_index` checks.
        size: approximate size in bytes of the shards to index; it decides whether Ray is worth its start.
        kept: for each shard, where the engine `bm25s` keeps its index for later calls: after a call that was killed, or
            for a corpus that has grown, only the missing ones are made. None: nothing is kept.
    """
    with atomic_write(folder) as temporary:
        temporary.mkdir()
        match settings.engine:
            case "bm25s":
                from textbook.retrieval.bm25 import build_bm25

                build_bm25(shards, temporary, size, kept)
            case "whoosh":
                from textbook.retrieval.whoosh import build_whoosh

                build_whoosh(shards, temporary)
        write_json(temporary / SUMMARY, {**settings.model_dump(), "corpus_sha256": corpus_sha256})


def open_index(folder: Path, corpus_sha256: str) -> SearchIndex:
    """Open an index.

    Raises:
        UserError: the folder is not an index, or the index was built from another corpus.
    """
    if not (folder / SUMMARY).is_file():
        raise UserError(f"{folder}: is not an index; run `dvc repro index`")
    summary = read_json(folder / SUMMARY)
    if summary["corpus_sha256"] != corpus_sha256:
        raise UserError(f"{folder}: was built from another corpus; run `dvc repro index`")
    # Engines are imported lazily: one does not need the packages of the other.
    if summary["engine"] == "whoosh":
        from textbook.retrieval.whoosh import open_whoosh

        return open_whoosh(folder, k1=summary["k1"], b=summary["b"])
    from textbook.retrieval.bm25 import open_bm25

    return open_bm25(folder, k1=summary["k1"], b=summary["b"])
