"""The growth of the work with the text: hours per GB are those of the largest size."""

import pytest

from textbook.files import write_json
from textbook.reporting.growth import measured_growth

STEPS = ("split", "merge", "validate", "index", "textbook")


def point(gb: float, seconds: float) -> dict[str, object]:
    return {
        "gb": gb,
        "seconds": dict.fromkeys(STEPS, seconds),
        "peak_gb": {"split": 1.0, "index": 2.5},
        "index_bytes": 100,
        "index_bytes_read": 110,
        "anchors": 66_978,
    }


@pytest.fixture
def write(tmp_path):
    def write(*points):
        figures = {"threads": 2, "points": points, "exponent": 1.01, "exponents": dict.fromkeys(STEPS, 0.99)}
        write_json(tmp_path / "scale.json", figures)
        return measured_growth(tmp_path)

    return write


def test_the_largest_size_gives_the_cost_at_160_gb(write):
    growth = write(point(0.5, 50.0), point(5.0, 450.0))
    assert growth.exponent == 1.01
    assert growth.sizes[0][5] == growth.costs[5][0] == "a textbook of 66,978 anchors"
    assert growth.sizes[1] == ("0.50 GB", *["50 s"] * 5, "2.5 GB", "1.10 times")
    # 450 s on 2 cores for 5 GB are 0.05 core hours per GB.
    assert growth.costs[1][1:] == ("0.050", "0.99", "8 core hours", "2 minutes")
    assert growth.costs[-1] == ("all", "0.250", "1.01", "40 core hours", "12 minutes")


def test_one_size_says_nothing_about_growth(write, tmp_path):
    assert measured_growth(tmp_path) is None
    assert write(point(0.5, 50.0)) is None
