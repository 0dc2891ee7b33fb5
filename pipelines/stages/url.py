"""Stage `url@name`: note the versions of files in an object store or on a web server."""

from pipelines.cli import run
from pipelines.paths import ASSETS
from textbook.params import Params, entry
from textbook.tables.remote import note_remote


def main(params: Params, name: str) -> None:
    """Write what the store says of the files. They stay there."""
    files = note_remote(entry(params.assets.url, name, "assets.url"), ASSETS / name)
    print(f"{name}: {files:,} files")


if __name__ == "__main__":
    run(main)
