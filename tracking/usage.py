"""The cost of a training run, from its history: time, tokens and money."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median

SECONDS, TOKENS, DEVICE_HOURS, ESTIMATE = "cost/seconds", "cost/tokens", "cost/device_hours", "cost/estimate"
PAUSE = 20  # an interval longer than this multiple of the median contains a pause: the run was killed and resumed
# An interval that is not positive says that the clock was set back. Its time is unknown, as that of a pause.


def training_seconds(history: Sequence[Mapping[str, float]]) -> float:
    """The seconds of work up to the last step, without pauses.

    The time before the first line is unknown. It is estimated from the median time per step.
    """
    return sum(_interval_seconds(history))


def training_tokens(history: Sequence[Mapping[str, float]]) -> float:
    """The number of tokens that a distillation processed, from its speed in each interval."""
    seconds = _interval_seconds(history)
    return sum(line["tokens_per_second"] * time for line, time in zip(history, seconds, strict=True))


def costs(seconds: float, tokens: float, cost_per_hour: float, devices: float = 1) -> dict[str, float]:
    """The cost metrics of a run: seconds, tokens, device hours and their price.

    Args:
        devices: the number of devices in use; a fraction if the run shares a device.
    """
    hours = devices * seconds / 3600
    figures = {SECONDS: seconds, TOKENS: tokens, DEVICE_HOURS: hours, ESTIMATE: hours * cost_per_hour}
    return {name: round(value, 4) for name, value in figures.items()}


def _interval_seconds(history: Sequence[Mapping[str, float]]) -> list[float]:
    """The seconds of work in the interval before each line."""
    pairs = list(pairwise(history))
    steps = [after["step"] - before["step"] for before, after in pairs]
    seconds = [(after["time"] - before["time"]) / 1000 for before, after in pairs]
    known = [time / count for time, count in zip(seconds, steps, strict=True) if time > 0]
    per_step = median(known) if known else 0.0
    worked = [
        time if 0 < time <= PAUSE * per_step * count else per_step * count
        for time, count in zip(seconds, steps, strict=True)
    ]
    return [per_step * history[0]["step"], *worked] if history else []
