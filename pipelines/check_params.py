"""Stage `params`: refuse a wrong `params.yaml` before any other stage starts.

Its output never changes, so a changed parameter reruns this check and, of the rest, only the stages that read it.
"""

from pipelines.stage import DATA, run
from textbook.files import write_aside
from textbook.params import Params


def check_params(_params: Params) -> None:
    """Loading the parameters has checked them."""
    with write_aside(DATA / "params.ok") as aside:
        aside.write_text("params.yaml was checked\n", encoding="utf-8")


if __name__ == "__main__":
    run(check_params)
