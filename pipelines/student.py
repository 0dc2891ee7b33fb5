"""`make student BUDGET=10M` or `BUDGET=5ms`: the largest student of so many parameters or milliseconds on the CPU."""

import re
from functools import cache

from rich.console import Console
from rich.table import Table

from pipelines.stage import ASSETS, run
from textbook.assets import locate
from textbook.errors import UserError
from textbook.evaluation import cost
from textbook.models.encoder import load_config
from textbook.models.shapes import count_parameters, largest_shapes, sentence_flops
from textbook.models.student import Shape, make_student
from textbook.params import Params

TOKENS = 32  # of the sentence that is timed
RUNS = 15


def student(params: Params, budget: str = "") -> None:
    """Print the students that fit, the one that computes most first, and that one as it goes into `params.yaml`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(M|ms)", budget)
    if not match:
        raise UserError(f"BUDGET = {budget!r}: must be parameters such as 10M, or milliseconds such as 5ms")
    config = load_config(locate(ASSETS / params.teacher.asset))

    @cache  # the table shows what decided
    def milliseconds(shape: Shape) -> float:
        model = make_student(shape, config, seed=0)
        return cost.milliseconds({"": cost.on_cpu(model)}, [cost.make_batch(model, 1, TOKENS)] * RUNS)[""]

    def millions(shape: Shape) -> float:
        return count_parameters(shape, config) / 1e6

    measure = milliseconds if match[2] == "ms" else millions
    shapes = largest_shapes(measure, float(match[1]), params.distill.relation_heads, config.hidden_size)
    table = Table("layers", "hidden", "heads", "intermediate", "parameters", f"MFLOP, {TOKENS} tokens", "CPU ms")
    for shape in shapes:
        figures = millions(shape), sentence_flops(shape, config, TOKENS) / 1e6, milliseconds(shape)
        sizes = (shape.layers, shape.hidden, shape.heads, shape.intermediate)
        table.add_row(*map(str, sizes), f"{figures[0]:.1f} M", f"{figures[1]:,.0f}", f"{figures[2]:.1f}")
    Console().print(table)
    best = shapes[0]
    print(f"\nIn params.yaml:\n\nstudent:\n  layers: {best.layers}\n  hidden: {best.hidden}")
    print(f"  heads: {best.heads}\n  intermediate: {best.intermediate}")


if __name__ == "__main__":
    run(student)
