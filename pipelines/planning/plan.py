"""The plan of a run: what will run, and what each part of it takes."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.planning.due import Stage, read_stages
from pipelines.planning.facts import read_facts
from pipelines.planning.machine import machine_rates
from pipelines.planning.times import as_last_time, expect
from textbook.params import Params
from textbook.plan.cost import Cost, Project
from textbook.plan.rates import Rates
from textbook.plan.stages import stage_cost


@dataclass(frozen=True)
class Entry:
    """A stage or a cell that will run."""

    name: str
    cost: Cost | None
    """None: a file that decides it is not there yet."""
    measured: bool = False
    """Whether its time is that of the last time it ran, in proportion to the work, rather than the model's."""


@dataclass(frozen=True)
class RunPlan:
    """What will run."""

    parts: Sequence[Entry]
    """In the order in which they run."""
    rates: Rates
    free: float
    """Bytes free on the disk of the project."""

    @property
    def costs(self) -> Mapping[str, Cost]:
        """The costs that are known, by name."""
        return {part.name: part.cost for part in self.parts if part.cost}

    @property
    def unknown(self) -> Sequence[str]:
        """The names of the parts whose cost cannot be told yet."""
        return [part.name for part in self.parts if part.cost is None]


def plan_stages(params: Params, targets: Sequence[str] = ()) -> RunPlan:
    """The plan of `dvc repro` with some targets, or of the whole pipeline."""
    stages = read_stages(targets)
    project = project_of(params, stages)
    return RunPlan(stage_parts(project, stages), project.rates, free_disk())


def project_of(params: Params, stages: Sequence[Stage]) -> Project:
    """What the estimates start from, with what DVC noted of the stages."""
    sizes = {path: size for stage in stages for path, size in stage.sizes.items()}
    return Project(params, read_facts(params, sizes), machine_rates())


def stage_parts(project: Project, stages: Sequence[Stage]) -> list[Entry]:
    """The stages that run, with what they take. What is expected of them is noted for the next time."""
    estimates = {stage.name: stage_cost(project, stage.name) for stage in stages if stage.runs}
    expect({name: cost for name, cost in estimates.items() if cost})
    measured = {name: as_last_time(name, cost) for name, cost in estimates.items() if cost}
    return [Entry(name, measured.get(name) or cost, bool(measured.get(name))) for name, cost in estimates.items()]


def free_disk() -> float:
    """Bytes free on the disk of the project."""
    return float(shutil.disk_usage(Path.cwd()).free)
