"""What does not fit a machine, and figures as a person reads them."""

import pytest

from textbook.plan.cost import Cost, total
from textbook.plan.fits import duration, gigabytes, warnings
from textbook.plan.rates import Rates

RATES = Rates(flops=1e12, update=1e-9, pace=1.0, cores=8, device="cuda bf16", gpus=1, memory=16e9, gpu_memory=8e9)


def test_what_fits_gets_no_warning() -> None:
    assert warnings({"corpus": Cost(60, disk=1e9, scratch=1e9, memory=8e9, gpu_memory=4e9)}, RATES, free=10e9) == []


def test_each_resource_that_is_too_small_gets_a_line_that_names_the_stage() -> None:
    costs = {
        "corpus": Cost(60, disk=100e9, scratch=100e9, memory=1e9),
        "teacher@films": Cost(60, disk=1.5e9, memory=20e9, gpu_memory=24e9),
    }
    assert warnings(costs, RATES, free=50e9) == [
        "disk: needs about 201.5 GB, and 50.0 GB are free",
        "teacher@films: needs about 20.0 GB of memory of 16.0 GB",
        "teacher@films: needs about 24.0 GB of GPU memory of 8.0 GB",
    ]


def test_totals_add_what_stays_and_take_the_largest_of_what_goes() -> None:
    first, second = Cost(10, 5, 7, 100, 3, 4), Cost(20, 6, 2, 50, 9, 6)
    assert total([first, second]) == Cost(30, 11, 7, 100, 9, 10)
    assert total([]) == Cost(0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (89, "89 s"), (120, "2 min"), (5300, "88 min"), (5400, "1.5 h"), (1e7, "2,777.8 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("size", "text"), [(0, "0 MB"), (1.4e6, "1 MB"), (2.44e9, "2.4 GB"), (1.6e11, "160.0 GB")])
def test_sizes(size: float, text: str) -> None:
    assert gigabytes(size) == text
