"""Stage `dataset@name`: fetch one data set with Hugging Face `datasets`."""

from pipelines.cli import run
from pipelines.paths import ASSETS
from textbook.params import Params, entry
from textbook.tables.dataset_fetch import fetch_dataset


def main(params: Params, name: str) -> None:
    """Fetch the data set as one Parquet file per split; of one that is streamed, only note where it is."""
    rows = fetch_dataset(entry(params.assets.dataset, name, "assets.dataset"), ASSETS / name)
    print(f"{name}: {', '.join(f'{split} {count:,} rows' for split, count in rows.items()) or 'is streamed'}")


if __name__ == "__main__":
    run(main)
