"""Stage `index`: build the BM25 index over the corpus."""

from collections.abc import Iterable, Iterator
from typing import Any

from tqdm import tqdm

from pipelines.cli import run
from pipelines.paths import CORPUS, INDEX
from textbook.corpus.shards import corpus_hash, corpus_size, read_shards
from textbook.params import Params
from textbook.retrieval.engines import build_index


def main(params: Params) -> None:
    """Build the index with the engine `index.engine`."""
    with tqdm(total=corpus_size(CORPUS), desc="index", unit="sentence") as progress:
        shards = (_counted(shard, progress) for shard in read_shards(CORPUS))
        build_index(shards, INDEX / params.index.engine, params.index, corpus_hash(CORPUS))


def _counted(sentences: Iterable[str], progress: "tqdm[Any]") -> Iterator[str]:
    """Yield the sentences and advance the progress bar."""
    for sentence in sentences:
        yield sentence
        progress.update()


if __name__ == "__main__":
    run(main)
