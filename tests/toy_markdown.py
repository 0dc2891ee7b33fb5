"""The parts of Markdown files that can be checked: blocks of code, inline code and links."""

import re
import shlex
from collections.abc import Iterator
from itertools import dropwhile, groupby
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
"""The documentation."""
ALL_PAGES = [*PAGES, ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("*/README.md"))]
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\]\((?!\w+:|#)([^)\s#]+)")
_ASSIGNMENT = re.compile(r"[A-Z_]+=.*")
_PROGRAMS = ("make", "dvc", "python", "mlflow")


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of code in a language."""
    return [code for kind, code in _FENCE.findall(page.read_text()) if kind == language]


def inline_code(page: Path) -> list[str]:
    """What is in backticks outside blocks, each on one line."""
    text = _FENCE.sub("", page.read_text())
    return [" ".join(code.split()) for code in _CODE.findall(text)]


def links(page: Path) -> list[str]:
    """The relative links outside blocks, without anchors."""
    return _LINK.findall(_FENCE.sub("", page.read_text()))


def commands(page: Path) -> Iterator[list[str]]:
    """The commands of make, dvc, python and mlflow as words, without variables of the environment and comments."""
    lines = [line for block in blocks(page, "sh") for line in block.replace("\\\n", " ").splitlines()]
    lines += [code for code in inline_code(page) if code.split(" ")[0] in _PROGRAMS and " " in code]
    for line in lines:
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&")
        lexer.whitespace_split = True
        for is_end, group in groupby(lexer, key=lambda word: set(word) <= set(";&")):
            words = list(dropwhile(_ASSIGNMENT.fullmatch, group))
            if words and not is_end and words[0] in _PROGRAMS:
                yield words
