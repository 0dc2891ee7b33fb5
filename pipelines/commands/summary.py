"""The table at the end of a run, and the next commands."""

from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from pipelines.cli import run
from pipelines.paths import EVALUATION, REPORTS
from pipelines.worth import concern
from textbook.files import read_json
from textbook.params import Params
from textbook.reporting.table import LABELS, NOTE, ON_TEST, columns, comparison
from textbook.reporting.verdict import verdict

WIDE = 110  # characters that all columns need, without one for test data
LEFT_OUT = ("parameters", "speed-up")  # on a narrower terminal


def main(params: Params, only: Annotated[str, typer.Argument(metavar="TASK")] = "") -> None:
    """Print the figures of all tasks in `reports/metrics.json`, or those of one task, as a table.

    Students that are not worth it come with the reason, in bold, first.
    """
    console = Console()
    metrics = {only: read_json(EVALUATION / f"{only}.json")} if only else read_json(REPORTS / "metrics.json")
    concerns = {task: concern(params, task, figures) for task, figures in metrics.items()}
    for task, figures in metrics.items():
        if reason := concerns[task]:
            console.print(f"{task}: {reason}", style="bold", markup=False, highlight=False)
        metric = params.task(task).metrics[0]
        table = Table(
            title=f"{task}: {LABELS[metric]} on validation data in percent, time on the CPU",
            box=SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
        )
        names = columns(figures, metric)
        wide = WIDE + (len(ON_TEST) + 1 if ON_TEST in names else 0)
        shown = [place for place, name in enumerate(names) if console.width >= wide or name not in LEFT_OUT]
        for place in shown:
            table.add_column(names[place], justify="right" if place else "left", no_wrap=place > 0)
        for row in comparison(figures, metric):
            table.add_row(*(row[place] for place in shown))
        console.print(table)
        console.print(verdict(figures, metric))
    console.print(f"{NOTE}\n")
    console.print(f"Report:  {(REPORTS / 'report.html').absolute()}", soft_wrap=True)
    console.print("Runs:    make ui")
    first = next(iter(metrics))
    refused = concerns[first] and not params.registry.allow_worse
    console.print(f"Model:   make pull TASK={first}{' ALIAS=challenger' if refused else ''}")


if __name__ == "__main__":
    run(main)
