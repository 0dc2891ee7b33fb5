"""Links from page to page, which work in the repository, as links of the site.

Markdown files of the repository link to each other, and to any other file. In the site, README is the first page, the
files in `docs/` are pages, and every other file that a page links to becomes a page under `repository/`.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

FIRST, DOCS = "README.md", "docs/"
_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<=\]\()(?!\w+:|/|#)[^)\s#]+")


def page_of(path: str) -> str:
    """The path in the site's sources of a file, which is given by its path in the repository."""
    if path == FIRST:
        return "index.md"
    if path.startswith(DOCS):
        return path.removeprefix(DOCS)
    return f"repository/{path}" + ("" if path.endswith(".md") else ".md")


def linked_files(markdown: str, source: str) -> Iterator[str]:
    """The files of the repository to which a Markdown file links.

    Args:
        source: the path of the file in the repository, as are those that are returned.
    """
    for text in _FENCE.split(markdown)[::2]:
        for target in _LINK.findall(text):
            yield _resolve(target, source)


def relink(markdown: str, source: str) -> str:
    """A Markdown file with its links as the site needs them."""
    folder = posixpath.dirname(page_of(source)) or "."

    def moved(match: re.Match[str]) -> str:
        return posixpath.relpath(page_of(_resolve(match[0], source)), folder)

    parts = _FENCE.split(markdown)
    parts[::2] = [_LINK.sub(moved, text) for text in parts[::2]]
    return "".join(parts)


def code_page(path: str, content: str) -> str:
    """A page with the content of a file that is not Markdown."""
    language = {".py": "python", ".sh": "sh", ".json": "json", ".yaml": "yaml"}.get(PurePosixPath(path).suffix, "text")
    fence = "`" * 4
    return f"---\nsearch:\n  exclude: true\n---\n# {path}\n\n{fence}{language}\n{content.rstrip()}\n{fence}\n"


def _resolve(target: str, source: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
