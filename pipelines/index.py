"""Stage `index`: the BM25 index over the corpus."""

from itertools import chain

from tqdm import tqdm

from pipelines.stage import CORPUS, INDEX, run
from textbook.corpus.shards import corpus_hash, corpus_size, read_sentences
from textbook.params import Params
from textbook.retrieval.bm25 import build_index


def index(params: Params) -> None:
    """Build the index of the chosen engine."""
    settings = params.index
    sentences = chain.from_iterable(read_sentences(CORPUS))
    progress = tqdm(sentences, total=corpus_size(CORPUS), desc="index", unit="sentence")
    build_index(progress, INDEX / settings.engine, k1=settings.k1, b=settings.b, corpus_sha256=corpus_hash(CORPUS))


if __name__ == "__main__":
    run(index)
