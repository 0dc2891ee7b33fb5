"""Stage `index`: build the BM25 index over the corpus."""

from pipelines.cli import run
from pipelines.paths import CORPUS, INDEX
from pipelines.work import work_folder
from textbook.corpus.shards import corpus_hash, read_shards, shard_paths
from textbook.files import remove
from textbook.params import Params
from textbook.retrieval.engines import build_index


def main(params: Params) -> None:
    """Build the index with the engine `index.engine`."""
    corpus, target = corpus_hash(CORPUS), INDEX / params.index.engine
    size = sum(path.stat().st_size for path in shard_paths(CORPUS))
    work = work_folder("index", corpus)
    build_index(read_shards(CORPUS), target, params.index, corpus, size=size, work=work)
    remove(work)


if __name__ == "__main__":
    run(main)
