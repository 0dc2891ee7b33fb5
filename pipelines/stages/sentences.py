"""Stage `sentences@source`: split one source of general text into sentences."""

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from pipelines.cli import run
from pipelines.code import hash_code
from pipelines.paths import ASSETS, CACHE, SENTENCES
from textbook.assets.manifest import check_unchanged, list_files
from textbook.corpus.sentences import write_sentences
from textbook.errors import UserError
from textbook.files import atomic_write
from textbook.params import Params, entry
from textbook.ray_tasks import run_all
from textbook.tables.dataset_parts import DatasetPart, cut_dataset, is_streamed
from textbook.tables.files import Part, choose_tables, cut_table, table_size
from textbook.tables.remote import is_remote, list_remote


def main(params: Params, name: str) -> None:
    """Write the sentences of the source."""
    source = entry(params.corpus.sources, name, "corpus.sources")
    parts = _cut(ASSETS / source.asset, source.files)
    work = CACHE / "sentences" / name  # its shards are named by a hash of everything that determines their sentences
    counts = write_sentences(parts, work, source, params.corpus, hash_code(write_sentences.__module__))
    if not counts["rows"]:
        raise UserError(f"corpus.sources.{name}: has no rows" + (f" where {source.where}" if source.where else ""))
    with atomic_write(SENTENCES / name) as temporary:
        shutil.move(work, temporary)
    print(f"{name}: {counts['rows']:,} texts, {counts['sentences']:,} sentences, {counts['kept']:,} within the bounds")


def _cut(asset: Path, pattern: str) -> Mapping[Part | DatasetPart, str]:
    """The parts of an asset in order, each with the hash (or the version) of its file, which is checked."""
    if is_remote(asset):
        url, versions = list_remote(asset)
        return {part: versions[table] for table in choose_tables(versions, pattern, url) for part in cut_table(table)}
    if is_streamed(asset):
        return dict(cut_dataset(asset).items())
    root, hashes = list_files(asset)
    tables = choose_tables(hashes, pattern, str(root))
    run_all(
        partial(_check, asset=asset),
        [(table, hashes[table]) for table in tables],
        "check",
        sum(map(table_size, tables)),
    )
    return {part: hashes[table] for table in tables for part in cut_table(table)}


def _check(item: tuple[str, str], asset: Path) -> None:
    check_unchanged(dict([item]), asset)


if __name__ == "__main__":
    run(main)
