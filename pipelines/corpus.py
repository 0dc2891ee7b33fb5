"""Stage `corpus`: merge all sources into sentence shards without duplicates, and check them."""

import shutil

from pipelines.stage import CACHE, CORPUS, EXPECTATIONS, SENTENCES, VALIDATION, run
from textbook.corpus import duplicates, shards
from textbook.corpus.sentences import SUMMARY
from textbook.corpus.shards import shard_paths, write_corpus
from textbook.files import digest, hash_code, read_json, remove, write_aside
from textbook.params import Params
from textbook.validation import validate


def corpus(params: Params) -> None:
    """Write the corpus; it appears only when every expectation holds."""
    sources = sorted(params.corpus.sources)
    # All that decides the corpus names the work folder, so only this very corpus goes on from its finished shards.
    inputs = {name: read_json(SENTENCES / name / SUMMARY)["shards"] for name in sources}
    works = CACHE / "corpus"
    work = works / digest(inputs, hash_code(duplicates, shards))
    for other in works.glob("*"):
        if other != work:
            remove(other)
    counts = write_corpus({name: SENTENCES / name for name in sources}, work)
    validate(
        shard_paths(work), EXPECTATIONS / "corpus.yaml", {"sources": sources}, VALIDATION / "corpus.html", "Corpus"
    )
    with write_aside(CORPUS) as aside:
        shutil.move(work, aside)
    print(f"corpus: {counts['kept']:,} sentences, {counts['duplicates']:,} duplicates removed")


if __name__ == "__main__":
    run(corpus)
