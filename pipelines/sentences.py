"""Stage `sentences@source`: split one source of general text into sentences."""

from pipelines.stage import ASSETS, SENTENCES, run
from textbook.assets import locate
from textbook.corpus.sentences import write_sentences
from textbook.params import Params
from textbook.tables import find_tables


def sentences(params: Params, name: str) -> None:
    """Write the sentences of the source `name`."""
    corpus = params.corpus
    source = corpus.sources[name]
    counts = write_sentences(
        find_tables(locate(ASSETS / source.asset)),
        SENTENCES / f"{name}.parquet",
        column=source.column,
        where=source.where,
        language=corpus.language,
        min_words=corpus.min_words,
        max_words=corpus.max_words,
    )
    print(f"{name}: {counts['rows']:,} texts, {counts['sentences']:,} sentences, {counts['kept']:,} within the bounds")


if __name__ == "__main__":
    run(sentences)
