"""The figure of README: accuracy against size and time of the quickstart's models, from `reports/metrics.json`.

    python -m benchmarks.front

Writes `docs/front.svg`.
"""

from pathlib import Path

from textbook.files import atomic_write, read_json
from textbook.reporting.front import front_figure

TASK, METRIC = "rotten_tomatoes", "accuracy"


def draw(metrics: Path = Path("reports/metrics.json")) -> str:
    """The figure as SVG."""
    return front_figure(read_json(metrics)[TASK], METRIC)


def main() -> None:
    """Write the figure."""
    with atomic_write(Path("docs/front.svg")) as temporary:
        temporary.write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
