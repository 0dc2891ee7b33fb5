"""The students that fit a budget of parameters or of CPU time."""

from functools import cache

from rich.console import Console
from rich.table import Table

from pipelines.paths import ASSETS
from textbook.assets.manifest import locate
from textbook.evaluation import cost
from textbook.models.encoder import check_supported, load_config
from textbook.models.shapes import largest_shapes, sentence_flops
from textbook.models.student import make_student, student_parameters
from textbook.params import Params, Student

TOKENS = 32  # length of the timed sentence
RUNS = 15  # timed runs of each student


def print_fitting(params: Params, most: float, unit: str) -> None:
    """Print the students that fit the budget, most operations first, and the block of the first for `params.yaml`.

    Args:
        most: the budget.
        unit: `M` for millions of parameters, or `ms` for milliseconds a sentence.

    Raises:
        UserError: the teacher's architecture is not supported, or no student fits.
    """
    config = load_config(locate(ASSETS / params.teacher.asset))
    check_supported(config)

    @cache  # so that the table shows the same times that the search used
    def milliseconds(shape: Student) -> float:
        model = make_student(shape, config, seed=0)
        return cost.milliseconds({"": cost.on_cpu(model)}, [cost.dummy_batch(model, 1, TOKENS)] * RUNS)[""]

    def millions(shape: Student) -> float:
        return student_parameters(shape, config) / 1e6

    measure = milliseconds if unit == "ms" else millions
    shapes = largest_shapes(measure, most, params.distill.relation_heads, config.hidden_size)
    table = Table("layers", "hidden", "heads", "intermediate", "parameters", f"MFLOP, {TOKENS} tokens", "CPU ms")
    for shape in shapes:
        figures = millions(shape), sentence_flops(shape, config, TOKENS) / 1e6, milliseconds(shape)
        sizes = (shape.layers, shape.hidden, shape.heads, shape.intermediate)
        table.add_row(*map(str, sizes), f"{figures[0]:.1f} M", f"{figures[1]:,.0f}", f"{figures[2]:.1f}")
    Console().print(table)
    best = shapes[0]
    print(f"\nIn params.yaml:\n\nstudent:\n  layers: {best.layers}\n  hidden: {best.hidden}")
    print(f"  heads: {best.heads}\n  intermediate: {best.intermediate}")
