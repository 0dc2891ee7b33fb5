"""`make student BUDGET=10M` or `BUDGET=5ms`: the largest students within a number of parameters or a CPU time."""

import re

from pipelines.cli import run
from textbook.errors import UserError
from textbook.params import Params


def main(params: Params, budget: str) -> None:
    """Print the students that fit the budget, most operations first, and the block of the first for `params.yaml`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(M|ms)", budget)
    if not match:
        raise UserError(f"BUDGET = {budget!r}: must be parameters such as 10M, or milliseconds such as 5ms")
    from pipelines.fitting import print_fitting  # takes seconds to import

    print_fitting(params, float(match[1]), match[2])


if __name__ == "__main__":
    run(main)
