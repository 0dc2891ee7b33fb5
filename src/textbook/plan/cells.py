"""What a cell of a sweep takes."""

from textbook.plan.cost import TOKENIZE, Cost, Project
from textbook.plan.model_stages import lessons
from textbook.plan.sizes import Unknown, rows_of
from textbook.plan.training import (
    BASE_MEMORY,
    CHECKPOINT_BYTES,
    WEIGHT_BYTES,
    adaptation,
    distilling,
    predicting,
    together,
    training_memory,
)

START = 5.0  # seconds of a cell besides its work
PROBED = 2000  # texts on which the relation loss is measured, by teacher and student


def cell_cost(project: Project, task: str, cohort: int, *, begun: bool = False) -> Cost | None:
    """What a cell takes if it has all cores of the machine; None if a file that decides it is not there yet.

    Args:
        project: with the parameters of the cell.
        cohort: the number of cells that share the pass of the teacher.
        begun: the cell goes on from the student of another one, and has only its second textbook left.
    """
    try:
        return _cell_cost(project, task, cohort, begun)
    except Unknown:
        return None


def _cell_cost(project: Project, task: str, cohort: int, begun: bool) -> Cost:
    params, rates = project.params, project.rates
    teacher, student, rows = project.teacher, project.student, rows_of(project.facts, task)
    steps, tokens, texts = lessons(params, project.facts, task, begun=begun)
    distil = distilling(params, teacher, student, steps, tokens, cohort)
    adapt = adaptation(student, teacher, rows, params.adapt, pair=project.is_pair(task))
    probe = [predicting(shape, PROBED, tokens) for shape in (teacher, student)]
    snapshots, whole = params.distill.snapshots, "+" not in params.distill.textbook
    scored = 1 + len(snapshots)
    adapted = scored - (whole and params.distill.steps in snapshots)  # the last one is the student itself
    work = together([distil, *[adapt] * adapted, *probe * scored])
    size = WEIGHT_BYTES * student.weights
    cost = Cost(
        project.seconds(START, TOKENIZE * texts / rates.cores / cohort, work),
        size * (1 + scored),
        2 * CHECKPOINT_BYTES * student.weights,
    )
    length, batch = params.distill.max_length, params.distill.batch
    memory = training_memory(student, batch, length) + (WEIGHT_BYTES * teacher.weights + BASE_MEMORY) / cohort
    return project.trained(cost, work, memory - (0 if rates.gpus else BASE_MEMORY))
