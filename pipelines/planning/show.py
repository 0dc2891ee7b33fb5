"""A plan as a table, and in a few lines before a run."""

from collections.abc import Callable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from pipelines.messages import user_message
from pipelines.planning.door import remember_announced
from pipelines.planning.plan import Entry, RunPlan
from textbook.plan.cost import Cost, total
from textbook.plan.fits import duration, gigabytes, warnings

LONGEST = 3  # parts that are named in the short form
UNKNOWN = "?"
NOTHING = "Nothing to run: everything is up to date."
_MENTIONED = 3  # parts whose cost cannot be told


def show_plan(plan: RunPlan) -> None:
    """Print a line for each part, the totals, and what will not fit."""
    console = Console()
    if not plan.parts:
        return console.print(NOTHING)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_footer=True)
    sums = total(plan.costs.values())
    names = ["time", "disk", "memory", *(["GPU hours"] if plan.rates.gpus else [])]
    table.add_column("will run", "total")
    for name, figure in zip(names, _figures(plan, sums), strict=True):
        table.add_column(name, figure, justify="right", no_wrap=True)
    table.add_column("time from", no_wrap=True)
    for part in plan.parts:
        table.add_row(part.name, *_figures(plan, part.cost), _origin(part))
    console.print(table)
    device = f"{plan.rates.cores} cores, {plan.rates.device}"
    console.print(f"Estimated for {device}. Disk is what stays, memory the peak.", soft_wrap=True)
    for line in _remarks(plan):
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def announce(make: Callable[[], RunPlan]) -> bool:
    """Print a plan in at most a few lines before a run. Whatever goes wrong with it, the run goes on.

    Returns:
        Whether there is something to run, as far as it can be told.
    """
    plan = None
    try:
        plan = make()
        lines = short_form(plan)
        remember_announced()
    except Exception as error:  # of DVC and of all files; the run itself says what is wrong with them
        lines = [f"What will run cannot be told: {user_message(error) or type(error).__name__}"]
    print("\n".join(lines), flush=True)
    return plan is None or bool(plan.parts)


def short_form(plan: RunPlan) -> list[str]:
    """A plan in one to four lines."""
    if not plan.parts:
        return [NOTHING]
    sums = total(plan.costs.values())
    count = f"{len(plan.parts)} {'part' if len(plan.parts) == 1 else 'parts'}"
    amounts = f"about {duration(sums.seconds)}, {gigabytes(sums.disk + sums.scratch)} of disk"
    longest = sorted((part for part in plan.parts if part.cost), key=_seconds, reverse=True)[:LONGEST]
    parts = ", ".join(f"{part.name} {duration(_seconds(part))}" for part in longest)
    return [
        f"To run: {count}, {amounts}, {gigabytes(sums.memory)} of memory" + (f"; longest: {parts}" if parts else ""),
        *_remarks(plan),
    ]


def _remarks(plan: RunPlan) -> list[str]:
    """What cannot be told, and what will not fit."""
    lines = []
    if plan.unknown:
        more = f" and {len(plan.unknown) - _MENTIONED} more" if len(plan.unknown) > _MENTIONED else ""
        names = f"{', '.join(plan.unknown[:_MENTIONED])}{more}"
        lines.append(f"Not counted, because a file is not there yet: {names}")
    return [*lines, *(f"warning: {line}" for line in warnings(plan.costs, plan.rates, plan.free))]


def _seconds(part: Entry) -> float:
    return part.cost.seconds if part.cost else 0.0


def _figures(plan: RunPlan, cost: Cost | None) -> list[str]:
    """The cells of a line of the table."""
    if cost is None:
        return [UNKNOWN] * (4 if plan.rates.gpus else 3)
    figures = [duration(cost.seconds), gigabytes(cost.disk), gigabytes(cost.memory)]
    return [*figures, *([f"{cost.gpu_seconds / 3600:.2f}"] if plan.rates.gpus else [])]


def _origin(part: Entry) -> str:
    return UNKNOWN if part.cost is None else "last time" if part.measured else "model"
