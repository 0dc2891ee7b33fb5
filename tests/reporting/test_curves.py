"""SVG plots: their text, and that they are deterministic."""

import re

from textbook.reporting.curves import ACCENT, INK, Point, Size, by_size, curve, dots, scatter

PANELS = {
    "films": [("augmented", 71.25, None), ("general", 40.0, None)],
    "cola": [("contextualized, top 20 %", 44.4, 37.2), ("general", 30.1, 23.5)],
}
SIZES = {"general": [Size(texts, 4e4 / texts, 80.0, 1.0, 0.6, 0.5) for texts in (1000, 39_000, 40_000, 100_000)]}
COSTS = [Point("small", 1.3, 76.0, True), Point("large", 25.4, 83.0, True), Point("slow", 24.0, 75.1, False)]


def words_of(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]+)</text>", svg)


def test_a_curve_is_deterministic() -> None:
    points = {"a": [(1.0, 2.0), (2.0, 1.0)], "b": [(1.0, 3.0), (2.0, 2.0)]}
    assert curve(points, "x", "y") == curve(points, "x", "y")


def test_dots_show_every_row_of_every_panel_with_its_value() -> None:
    svg = dots(PANELS, "share, %")
    assert svg.startswith("<svg")
    words = words_of(svg)
    for expected in ("films", "cola", "share, %", "contextualized, top 20 %", "71.2", "40.0", "44.4", "30.1"):
        assert expected in words
    assert words.count("general") == 2
    assert dots(PANELS, "share, %") == svg


def test_the_paper_is_named_only_in_panels_with_its_figures() -> None:
    assert words_of(dots(PANELS, "x")).count("the paper") == 1
    assert "the paper" not in words_of(dots({"films": PANELS["films"]}, "x"))


def test_plots_are_readable_on_light_and_dark_pages() -> None:
    plots = (
        dots(PANELS, "x"),
        by_size(SIZES, "accuracy, %"),
        curve({"a": [(1, 2)], "b": [(1, 3)]}, "x", "y"),
        scatter({"ms": COSTS}, "accuracy, %"),
    )
    for svg in plots:
        texts = re.findall(r"<text[^>]*>", svg)
        assert texts
        assert all(re.search(f"fill: ({INK}|{ACCENT})", text) for text in texts)  # text without a fill would be black
        assert "fill: #ffffff" not in svg


def test_sizes_whose_labels_would_overlap_have_one_label() -> None:
    words = words_of(by_size(SIZES, "accuracy, %"))
    assert [word for word in words if word.endswith("000")] == ["1,000", "39,000", "100,000"]
    assert [word for word in words if word.endswith("x")] == ["40.0x", "1.0x", "0.4x"]


def test_an_axis_of_costs_is_labelled_with_plain_numbers_that_do_not_overlap() -> None:
    words = words_of(scatter({"ms": COSTS}, "accuracy, %"))
    assert [word for word in words if word in ("1", "2", "5", "10", "20", "50")] == ["2", "5", "10", "20"]
    wide = [*COSTS, Point("huge", 25_000.0, 83.5, True)]
    assert [word for word in words_of(scatter({"ms": wide}, "accuracy, %")) if re.fullmatch(r"[125]0*", word)] == [
        "1",
        "10",
        "100",
        "1000",
        "10000",
    ]
