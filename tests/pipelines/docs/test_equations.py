"""Equations become MathML."""

from pipelines.docs.equations import with_equations


def test_blocks_and_inline_equations_become_mathml() -> None:
    page = with_equations("With $k_1$ and $b$:\n\n```math\n\\frac{a}{b}\n\\cdot c\n```\n\nIt costs 5 $ or 6 $.\n")
    assert page.count("<math") == 3
    assert '<div><math xmlns="http://www.w3.org/1998/Math/MathML" display="block"' in page
    assert "<mfrac>" in page
    assert "<msub>" in page
    assert "It costs 5 $ or 6 $." in page


def test_a_page_without_equations_keeps_its_dollars() -> None:
    page = "`echo $HOME` and $PATH$\n\n```sh\nmake sweep $SWEEP\n```\n"
    assert with_equations(page) == page
