"""Stage `folder@name`: note what the local folder of a data set hashes to.

DVC cannot watch the folder itself: the same key, `name`, has an id of the hub for other data sets. So this stage always
runs, which takes a moment, and the stage that fetches the data set depends on what it writes.
"""

from pathlib import Path

from pipelines.cli import run
from pipelines.paths import CACHE, DATA
from textbook.assets.memo import hash_changed_files
from textbook.files import write_json
from textbook.params import Params, entry


def main(params: Params, name: str) -> None:
    """Write the hashes of the files. There are none for a data set of the hub, whose revision says it all."""
    asset = entry(params.assets.dataset, name, "assets.dataset")
    local = asset.revision is None and Path(asset.name).is_dir()
    hashes = hash_changed_files(Path(asset.name), CACHE / "folders" / f"{name}.json") if local else {}
    write_json(DATA / "folders" / f"{name}.json", hashes)


if __name__ == "__main__":
    run(main)
