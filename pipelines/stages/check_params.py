"""Stage `params`: reject an invalid `params.yaml` before any other stage starts.

The output never changes. So a changed parameter reruns only this check and the stages that read the parameter.
"""

from pipelines.cli import run
from pipelines.paths import DATA
from pipelines.planning.door import announce_at_door
from textbook.files import atomic_write
from textbook.params import Params


def main(params: Params) -> None:
    """Write that the parameters were checked, and say what will run. Loading them has already checked them."""
    with atomic_write(DATA / "params.ok") as temporary:
        temporary.write_text("params.yaml was checked\n", encoding="utf-8")
    announce_at_door(params)


if __name__ == "__main__":
    run(main)
