"""What a stage of the pipeline takes."""

from textbook.plan.cost import Cost, Project
from textbook.plan.model_stages import MODEL_STAGES
from textbook.plan.sizes import Unknown
from textbook.plan.text_stages import TEXT_STAGES

COSTS = {**TEXT_STAGES, **MODEL_STAGES}
"""What a stage takes, by its name without an item."""


def stage_cost(project: Project, stage: str) -> Cost | None:
    """What a stage takes; None if a file that decides it is not there yet.

    Args:
        stage: its name as DVC has it, such as `distill@films`.
    """
    kind, _, item = stage.partition("@")
    try:
        return COSTS[kind](project, item)
    except (Unknown, KeyError):
        return None
