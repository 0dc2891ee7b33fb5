"""What of a run does not fit the machine."""

from collections.abc import Mapping

from textbook.plan.cost import Cost
from textbook.plan.rates import Rates

LEFT = 0.9  # share of a resource that a run can have; the rest is the system's


def warnings(costs: Mapping[str, Cost], rates: Rates, free: float) -> list[str]:
    """A line for each resource that is too small.

    Args:
        costs: what will run, in order, by its name.
        free: bytes free on the disk.
    """
    lines = []
    disk = sum(cost.disk for cost in costs.values())
    scratch = max((cost.scratch for cost in costs.values()), default=0.0)
    if disk + scratch > LEFT * free:
        lines.append(f"disk: needs about {gigabytes(disk + scratch)}, and {gigabytes(free)} are free")
    for name, cost in costs.items():
        if cost.memory > LEFT * rates.memory > 0:
            lines.append(f"{name}: needs about {gigabytes(cost.memory)} of memory of {gigabytes(rates.memory)}")
        if cost.gpu_memory > LEFT * rates.gpu_memory > 0:
            needed, there = gigabytes(cost.gpu_memory), gigabytes(rates.gpu_memory)
            lines.append(f"{name}: needs about {needed} of GPU memory of {there}")
    return lines


def gigabytes(size: float) -> str:
    """A number of bytes in megabytes or gigabytes."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.0f} MB"


def duration(seconds: float) -> str:
    """A time in seconds, minutes or hours, with two digits that count."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:,.1f} h"
