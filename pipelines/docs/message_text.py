"""An expression of the source code as the message that a user reads."""

import ast
from collections.abc import Iterable, Mapping

Values = Mapping[str, ast.expr]
"""The expressions that names stand for."""


def render(node: ast.expr, values: Values) -> str:
    """The text of an expression. What is filled in when the program runs stands in angle quotes: `‹path›: is empty`."""
    match node:
        case ast.Constant():
            return str(node.value)
        case ast.JoinedStr():
            return "".join(render(part, values) for part in node.values)
        case ast.FormattedValue():
            return render(node.value, values)
        case ast.BinOp(op=ast.Add()) if is_text(node):
            return render(node.left, values) + render(node.right, values)
        case ast.IfExp():
            branches = [render(branch, values) for branch in (node.body, node.orelse)]
            return max(branches, key=lambda text: len(fixed_part(text)))
        case ast.Name(id=name) if name in values:
            return render(values[name], {other: value for other, value in values.items() if other != name})
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return f"‹{name.strip('_').replace('_', ' ').lower()}›"
        case ast.Call(args=[ast.Name() as argument]):
            return render(argument, {})
        case _:
            return "‹…›"


def fixed_part(text: str) -> str:
    """A rendered text without what is filled in."""
    first, *others = text.split("‹")
    return first + "".join(part.partition("›")[2] for part in others)


def is_text(node: ast.expr) -> bool:
    """Whether an expression is a text by its form."""
    match node:
        case ast.Constant():
            return isinstance(node.value, str)
        case ast.BinOp(op=ast.Add(), left=left, right=right) | ast.IfExp(body=left, orelse=right):
            return is_text(left) or is_text(right)
        case _:
            return isinstance(node, ast.JoinedStr)


def named_texts(body: Iterable[ast.AST]) -> dict[str, ast.expr]:
    """The names that some statements set exactly once, and to a text or another constant."""
    found: dict[str, list[ast.expr]] = {}
    for node in body:
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                pairs = list(zip(targets, values, strict=False))
            case ast.Assign(targets=[target], value=value):
                pairs = [(target, value)]
            case _:
                continue
        for target, value in pairs:
            for name in ast.walk(target):
                if isinstance(name, ast.Name):
                    found.setdefault(name.id, []).append(value)
    return {
        name: values[0]
        for name, values in found.items()
        if len(values) == 1 and (is_text(values[0]) or isinstance(values[0], ast.Constant))
    }
