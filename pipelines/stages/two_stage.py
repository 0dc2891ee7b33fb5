"""Stage `two_stage@task`: the contextualized textbook followed by the augmented one (the paper's CC&TaskDA)."""

from pipelines.cli import run
from pipelines.paths import TEXTBOOKS
from textbook.files import read_json, write_json
from textbook.params import BOTH


def main(task: str) -> None:
    """Write the figures of both textbooks. A student is distilled on the first, then on the second."""
    folder = TEXTBOOKS / task
    write_json(folder / f"{BOTH}.json", {kind: read_json(folder / f"{kind}.json") for kind in BOTH.split("+")})


if __name__ == "__main__":
    run(main)
