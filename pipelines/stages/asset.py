"""Stages `wheel@name`, `archive@name`, `path@name` and `hub@name`: fetch one asset."""

from typing import Literal

from pipelines.cli import run
from pipelines.paths import ASSETS
from textbook.assets.fetch import fetch
from textbook.params import Params, entry


def main(params: Params, kind: Literal["wheel", "archive", "path", "hub"], name: str) -> None:
    """Fetch one asset, given its kind and its name."""
    fetch(entry(getattr(params.assets, kind), name, f"assets.{kind}"), ASSETS / name)


if __name__ == "__main__":
    run(main)
