"""What a training took: time, tokens and money, from its history."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median

SECONDS, TOKENS, DEVICE_HOURS, ESTIMATE = "cost/seconds", "cost/tokens", "cost/device_hours", "cost/estimate"
PAUSE = 20  # an interval so many times as long as is usual held a pause: the training was killed and went on later


def training_seconds(history: Sequence[Mapping[str, float]]) -> float:
    """Seconds of work between the first step and the last, pauses left out.

    The time up to the first line isn't known, and is taken to be what is usual for as many steps.
    """
    return sum(_interval_seconds(history))


def training_tokens(history: Sequence[Mapping[str, float]]) -> float:
    """Tokens that a distillation read, from its speed in each interval."""
    seconds = _interval_seconds(history)
    return sum(line["tokens_per_second"] * time for line, time in zip(history, seconds, strict=True))


def costs(seconds: float, tokens: float, cost_per_hour: float, devices: float = 1) -> dict[str, float]:
    """The figures of a run: wall time, tokens, device hours and their price.

    Args:
        devices: how many of them worked all the time; a share of one counts as that share.
    """
    hours = devices * seconds / 3600
    figures = {SECONDS: seconds, TOKENS: tokens, DEVICE_HOURS: hours, ESTIMATE: hours * cost_per_hour}
    return {name: round(value, 4) for name, value in figures.items()}


def _interval_seconds(history: Sequence[Mapping[str, float]]) -> list[float]:
    """The seconds of work that end with each line."""
    pairs = list(pairwise(history))
    steps = [after["step"] - before["step"] for before, after in pairs]
    seconds = [(after["time"] - before["time"]) / 1000 for before, after in pairs]
    usual = median(time / step for time, step in zip(seconds, steps, strict=True)) if pairs else 0.0
    worked = [time if time <= PAUSE * usual * step else usual * step for time, step in zip(seconds, steps, strict=True)]
    return [usual * history[0]["step"], *worked] if history else []
