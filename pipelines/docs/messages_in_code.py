"""The error messages that a user can cause, read from the source code."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.docs.message_text import Values, fixed_part, is_text, named_texts, render

ERRORS = {"UserError": 0, "LineError": 1, "PydanticCustomError": 1}
"""Exceptions whose message reaches the user, with the position of the message among the arguments."""
VARIABLES = {"problem", "problems", "LIBRARY_ERRORS"}
"""Variables that hold messages: one, a list, or a table whose values are messages."""
HELPER = re.compile(r"_describe|.*_problems?")
"""Names of functions that return messages to other functions than those that raise them."""
WORDS = 3  # fewer words that a helper returns are a part of a message

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Message:
    """A message as the code has it, with what is filled in between angle quotes: `‹path›: is empty`."""

    text: str
    file: str
    """The source file, relative to the project."""
    line: int


def messages_in_code(root: Path, folders: Iterable[str]) -> list[Message]:
    """The messages in the Python files of some folders, in the order of files and lines.

    They are what `ERRORS` are raised with, what `VARIABLES` hold, and what is returned by functions with the name of a
    `HELPER` and by the private functions that take part in the others.
    """
    paths = [path for folder in folders for path in sorted((root / folder).rglob("*.py"))]
    trees = {path.relative_to(root).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in paths}
    constants = named_texts(statement for tree in trees.values() for statement in tree.body)
    return [
        Message(text, file, line)
        for file, tree in trees.items()
        for line, text in sorted({(line, text) for line, text in _of_module(tree, constants)})
    ]


def _of_module(tree: ast.Module, constants: Values) -> Iterator[tuple[int, str]]:
    constants = {**constants, **named_texts(tree.body)}
    functions = [node for node in ast.walk(tree) if isinstance(node, Function)]
    scopes = {id(node): function for function in functions for node in ast.walk(function)}  # the innermost function
    expressions = list(_raised_or_held(tree))
    calls = [node for expression in expressions for node in ast.walk(expression) if isinstance(node, ast.Call)]
    helpers = {call.func.id for call in calls if isinstance(call.func, ast.Name) and call.func.id[0] == "_"}
    helpers |= {function.name for function in functions if HELPER.fullmatch(function.name)}
    returned = [part for function in functions if function.name in helpers for part in _returned(function)]
    for least, nodes in ((1, expressions), (WORDS, returned)):
        for node in nodes:
            scope = scopes.get(id(node))
            text = render(node, {**constants, **(named_texts(ast.walk(scope)) if scope else {})})
            if sum(any(map(str.isalpha, word)) for word in fixed_part(text).split()) >= least:
                yield node.lineno, text


def _raised_or_held(tree: ast.Module) -> Iterator[ast.expr]:
    """What exceptions are raised with, and what variables of messages are set to or get added."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name), args=arguments) if name in ERRORS:
                yield from arguments[ERRORS[name] :][:1]
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append"), args=arguments):
                yield from arguments if name in VARIABLES else []
            case (
                ast.AugAssign(target=ast.Name(id=name), value=value)
                | ast.Assign(targets=[ast.Name(id=name)], value=value)
            ):
                yield from _texts(value) if name in VARIABLES else []


def _returned(function: Function) -> Iterator[ast.expr]:
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and node.value:
            yield from _texts(node.value)


def _texts(node: ast.expr) -> Iterator[ast.expr]:
    """The texts in an expression."""
    match node:
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Dict(values=parts):
            for part in parts:
                yield from _texts(part)
        case ast.IfExp(body=part, orelse=other):
            yield from [*_texts(part), *_texts(other)]
        case ast.ListComp(elt=part):
            yield from _texts(part)
        case _ if is_text(node):
            yield node
