"""Stage `corpus`: merge all sources into sentence shards without duplicates, and check them."""

import shutil

from pipelines.cli import run
from pipelines.paths import CORPUS, EXPECTATIONS, SENTENCES, VALIDATION_REPORTS
from pipelines.work import work_folder
from textbook.corpus.merge import write_corpus
from textbook.corpus.sentences import SUMMARY
from textbook.corpus.shards import shard_paths
from textbook.files import atomic_write, read_json
from textbook.params import Params
from textbook.validation import validate


def main(params: Params) -> None:
    """Write the corpus. It appears only if every expectation holds."""
    sources, near = sorted(params.corpus.sources), params.corpus.near_duplicates
    shards = {name: read_json(SENTENCES / name / SUMMARY)["shards"] for name in sources}
    work = work_folder("corpus", shards, near and near.model_dump())
    counts = write_corpus({name: SENTENCES / name for name in sources}, work, near=near)
    suite, report = EXPECTATIONS / "corpus.yaml", VALIDATION_REPORTS / "corpus.html"
    validate(shard_paths(work), suite, {"sources": sources}, report, "Corpus")
    with atomic_write(CORPUS) as temporary:
        shutil.move(work, temporary)
    near_ones = f" and {counts['near_duplicates']:,} near-duplicates" if near else ""
    print(f"corpus: {counts['kept']:,} sentences, {counts['duplicates']:,} duplicates{near_ones} removed")


if __name__ == "__main__":
    run(main)
