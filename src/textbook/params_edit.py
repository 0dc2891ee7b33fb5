"""Adding entries to the text of `params.yaml`. Everything else in it stays as it is: comments, order, layout."""

import json
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import reduce
from operator import getitem
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node

from textbook.errors import UserError

STEP = 2  # blanks by which a level is indented
_PLAIN = re.compile(r"(?:\.{0,2}/)?[^\W\d_](?:[\w./ -]*[\w./-])?")
_NOT_TEXT = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")  # at least for some readers of YAML


def add_entries(content: str, entries: Mapping[tuple[str, ...], Mapping[str, Any]]) -> str:
    """Add mappings to a YAML file.

    Args:
        content: the text of the file.
        entries: each new mapping by its path in the file. All of the path but its last key exists.

    Returns:
        The text with the new lines. It is the same as before otherwise, except that a mapping `{}` which gets an entry
        is written in lines.

    Raises:
        UserError: the file is written in a way that cannot be added to.
    """
    added, expected = content, _parse(content)
    try:
        for path, value in entries.items():
            added = _add(added, path, value)
            reduce(getitem, path[:-1], expected)[path[-1]] = deepcopy(dict(value))
        same = _parse(added) == expected
    except YAMLError:
        same = False
    if not same:
        raise UserError("params.yaml: is laid out in a way that lines cannot be added to; add them by hand")
    return added


def entry_lines(name: str, value: Mapping[str, Any], indent: int) -> list[str]:
    """A named mapping as lines of YAML. One with a single key takes one line."""
    if len(value) == 1:
        return [f"{' ' * indent}{scalar(name)}: {flow(value)}"]
    lines = [f"{' ' * (indent + STEP)}{scalar(key)}: {flow(one)}" for key, one in value.items()]
    return [f"{' ' * indent}{scalar(name)}:", *lines]


def flow(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value)


def scalar(value: bool | int | float | str) -> str:
    """A single value as YAML. Text is in quotes if a reader could take it for something else."""
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT:
        return value
    return "".join(
        char if char.isprintable() else f"\\U{ord(char):08x}" for char in json.dumps(value, ensure_ascii=False)
    )


def _add(content: str, path: tuple[str, ...], value: Mapping[str, Any]) -> str:
    """Add one mapping."""
    parent, node = _find(YAML(pure=True).compose(content), path[:-1])
    newline = "\r\n" if "\r\n" in content else "\n"
    if node.flow_style and (node.value or parent.flow_style):
        end = node.end_mark.index - 1  # of its closing brace
        before = content[:end].rstrip()
        return f"{before}{', ' if node.value else ''}{flow({path[-1]: value})[1:-1]}{content[end:]}"
    if node.flow_style:
        start, end = node.start_mark.index, node.end_mark.index
        content = content[:start].rstrip(" ") + content[end:]
        key = next(key for key, child in parent.value if child is node)
        indent, end = key.start_mark.column + STEP, start
    else:
        indent, end = node.value[0][0].start_mark.column, _end(node, content)
    line_end = content.find("\n", end - 1)
    head, tail = (content[:line_end], content[line_end + 1 :]) if line_end >= 0 else (content, "")
    lines = entry_lines(path[-1], value, indent)
    return newline.join([head.removesuffix("\r"), *lines, tail])


def _find(root: Node, path: Sequence[str]) -> tuple[MappingNode, MappingNode]:
    """The mapping at a path, and the one that contains it."""
    nodes = [root]
    for name in path:
        children = nodes[-1].value if isinstance(nodes[-1], MappingNode) else []
        found = [child for key, child in children if key.value == name]
        if not found:
            raise UserError(f"params.yaml: has no {'.'.join(path)}")
        nodes.append(found[0])
    parent, node = nodes[-2:]
    if not (isinstance(parent, MappingNode) and isinstance(node, MappingNode)):
        raise UserError(f"params.yaml: {'.'.join(path)} must be a mapping")
    return parent, node


def _end(node: Node, content: str) -> int:
    """Where the text of a node ends, without the comments and blank lines after it."""
    while isinstance(node, CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return len(content[: node.end_mark.index].rstrip())


def _parse(content: str) -> Any:
    return YAML(typ="safe", pure=True).load(content)
