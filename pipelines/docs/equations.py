"""Equations as MathML, which browsers show without a script."""

import re

from latex2mathml.converter import convert

_BLOCK = re.compile(r"^```math\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<![\w$`])\$([^\s$`](?:[^$`\n]*[^\s$`])?)\$(?!\w)")


def with_equations(markdown: str) -> str:
    """A page with its LaTeX as MathML: blocks of the language `math` and, if it has any, also what is in `$…$`."""
    if not _BLOCK.search(markdown):
        return markdown
    parts = _BLOCK.split(markdown)
    parts[::2] = [_INLINE.sub(lambda match: f"<span>{convert(match[1])}</span>", text) for text in parts[::2]]
    parts[1::2] = [f"<div>{convert(' '.join(text.split()), display='block')}</div>" for text in parts[1::2]]
    return "".join(parts)
