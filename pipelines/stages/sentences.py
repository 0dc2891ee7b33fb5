"""Stage `sentences@source`: split one source of general text into sentences."""

import shutil

from pipelines.cli import run
from pipelines.code import hash_code
from pipelines.paths import ASSETS, CACHE, SENTENCES
from textbook.assets.manifest import list_files
from textbook.corpus.sentences import write_sentences
from textbook.files import atomic_write
from textbook.params import Params
from textbook.tables.files import choose_tables, cut_table


def main(params: Params, name: str) -> None:
    """Write the sentences of the source."""
    source = params.corpus.sources[name]
    root, hashes = list_files(ASSETS / source.asset)
    parts = {part: hashes[table] for table in choose_tables(hashes, source.files, root) for part in cut_table(table)}
    work = CACHE / "sentences" / name  # its shards are named by a hash of everything that determines their sentences
    counts = write_sentences(parts, work, source, params.corpus, hash_code(write_sentences.__module__))
    with atomic_write(SENTENCES / name) as temporary:
        shutil.move(work, temporary)
    print(f"{name}: {counts['rows']:,} texts, {counts['sentences']:,} sentences, {counts['kept']:,} within the bounds")


if __name__ == "__main__":
    run(main)
