"""Stage `index`: build the BM25 index over the corpus."""

from pipelines.cli import run
from pipelines.code import hash_code
from pipelines.paths import CACHE, CORPUS, INDEX
from textbook.corpus.shards import corpus_hash, read_shards, shard_paths
from textbook.files import digest, remove, sha256
from textbook.params import Params
from textbook.retrieval.engines import build_index
from textbook.retrieval.postings import index_shard

KEPT = CACHE / "index"
"""The indexes of the shards, named by what determines them, so that a corpus that grows has only new shards indexed."""


def main(params: Params) -> None:
    """Build the index with the engine `index.engine`."""
    code = hash_code(index_shard.__module__)
    kept = {path: KEPT / digest(sha256(path), code) for path in shard_paths(CORPUS)}
    for outdated in {*KEPT.glob("*")} - {*kept.values()}:
        remove(outdated)
    build_index(
        read_shards(CORPUS),
        INDEX / params.index.engine,
        params.index,
        corpus_hash(CORPUS),
        size=sum(path.stat().st_size for path, place in kept.items() if not place.exists()),
        kept=list(kept.values()),
    )


if __name__ == "__main__":
    run(main)
