"""Stage `two_stage@t`: the contextualized textbook and then the augmented one, as one plan (the paper's CC&TaskDA)."""

from pipelines.stage import TEXTBOOKS, run
from textbook.files import read_json, write_json
from textbook.params import BOTH, Params


def two_stage(_params: Params, task: str) -> None:
    """Write what both textbooks consist of; a student is distilled on the one, then on the other."""
    folder = TEXTBOOKS / task
    write_json(folder / f"{BOTH}.json", {kind: read_json(folder / f"{kind}.json") for kind in BOTH.split("+")})


if __name__ == "__main__":
    run(two_stage)
