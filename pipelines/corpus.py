"""Stage `corpus`: merge all sources into sentence shards without duplicates, and check them."""

from pipelines.stage import CORPUS, EXPECTATIONS, SENTENCES, VALIDATION, run
from textbook.corpus.shards import shard_paths, write_corpus
from textbook.files import write_aside
from textbook.params import Params
from textbook.validation import validate


def corpus(params: Params) -> None:
    """Write the corpus; it appears only when every expectation holds."""
    sources = sorted(params.corpus.sources)
    with write_aside(CORPUS) as aside:
        aside.mkdir()
        counts = write_corpus({name: SENTENCES / f"{name}.parquet" for name in sources}, aside)
        validate(
            shard_paths(aside), EXPECTATIONS / "corpus.yaml", {"sources": sources}, VALIDATION / "corpus.html", "Corpus"
        )
    print(f"corpus: {counts['kept']:,} sentences, {counts['duplicates']:,} duplicates removed")


if __name__ == "__main__":
    run(corpus)
