"""Stage `sentences@source`: split one source of general text into sentences."""

import shutil
from pathlib import Path

from pipelines.stage import ASSETS, CACHE, SENTENCES, run
from textbook.assets import list_files
from textbook.corpus.sentences import Rules, write_sentences
from textbook.files import write_aside
from textbook.params import Corpus, Params
from textbook.tables import Part, choose_tables, cut_table


def sentences(params: Params, name: str) -> None:
    """Write the sentences of the source `name`."""
    parts, rules = read_source(params.corpus, name, ASSETS)
    work = CACHE / "sentences" / name  # not where DVC removes the shards of a run that was killed
    counts = write_sentences(parts, work, rules)
    with write_aside(SENTENCES / name) as aside:
        shutil.move(work, aside)
    print(f"{name}: {counts['rows']:,} texts, {counts['sentences']:,} sentences, {counts['kept']:,} within the bounds")


def read_source(corpus: Corpus, name: str, assets: Path) -> tuple[dict[Part, str], Rules]:
    """The parts of a source's tables with the hashes of their files, and how they become sentences."""
    source = corpus.sources[name]
    root, files = list_files(assets / source.asset)
    parts = {part: files[table] for table in choose_tables(files, source.files, root) for part in cut_table(table)}
    rules = Rules(
        column=source.column,
        where=source.where,
        language=corpus.language,
        min_words=corpus.min_words,
        max_words=corpus.max_words,
        max_characters=corpus.max_characters,
    )
    return parts, rules


if __name__ == "__main__":
    run(sentences)
