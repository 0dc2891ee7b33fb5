"""Plots as SVG: what they say, and that they come out the same."""

import re

from textbook.reporting.curves import ACCENT, INK, curve, dots

PANELS = {
    "films": [("augmented", 71.25, None), ("general", 40.0, None)],
    "cola": [("contextualized, top 20 %", 44.4, 37.2), ("general", 30.1, 23.5)],
}


def words_of(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]+)</text>", svg)


def test_a_curve_is_the_same_every_time() -> None:
    points = {"a": [(1.0, 2.0), (2.0, 1.0)], "b": [(1.0, 3.0), (2.0, 2.0)]}
    assert curve(points, "x", "y") == curve(points, "x", "y")


def test_dots_show_every_line_of_every_panel_with_its_value() -> None:
    svg = dots(PANELS, "share, %")
    assert svg.startswith("<svg")
    found = words_of(svg)
    for expected in ("films", "cola", "share, %", "contextualized, top 20 %", "71.2", "40.0", "44.4", "30.1"):
        assert expected in found
    assert found.count("general") == 2
    assert dots(PANELS, "share, %") == svg


def test_the_paper_is_named_only_where_it_has_figures() -> None:
    assert words_of(dots(PANELS, "x")).count("the paper") == 1
    assert "the paper" not in words_of(dots({"films": PANELS["films"]}, "x"))


def test_plots_stand_on_any_page() -> None:
    for svg in (dots(PANELS, "x"), curve({"a": [(1, 2)], "b": [(1, 3)]}, "x", "y")):
        texts = re.findall(r"<text[^>]*>", svg)
        assert texts
        assert all(re.search(f"fill: ({INK}|{ACCENT})", text) for text in texts)  # what names no colour is black
        assert "fill: #ffffff" not in svg
