"""The source files that determine the result of a stage: the import closure of its module.

`dvc.yaml` lists these files as dependencies, which `tests/pipelines/test_dag.py` checks. Resumable work and the cells
of a sweep are keyed by their hash. So a result becomes stale when its code changes.
"""

import ast
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
PACKAGES = {"textbook": Path("src"), "pipelines": Path(), "tracking": Path()}
DOES_NOT_DECIDE = {
    "pipelines.cli": "parses arguments and prints errors",
    "pipelines.code": "only finds and hashes the code",
    "pipelines.live": "shows a run in MLflow while it is running",
    "pipelines.paths": "dvc.yaml declares the same paths for each stage",
    "pipelines.planning.door": "says what will run",
    "pipelines.work": "names work folders",
    "textbook.disk": "flushes and exchanges files, and tells that a disk is full",
    "textbook.errors": "defines the class of user errors",
    "textbook.files": "writes files atomically, with the content it is given",
    "textbook.models.flops": "counts operations, for the log and the student's budget",
    "textbook.names": "names students in tables, messages and runs",
    "textbook.params": "stages declare the values they read; the schema only checks them",
    "textbook.params_file": "loads the parameters; see textbook.params",
    "textbook.ray_start": "starts Ray or connects to a cluster",
    "textbook.ray_tasks": "decides where work runs, not its result",
}
"""Modules that are left out of the closure, with the reason. Modules that only they import are left out too."""


@cache
def source_files(module: str) -> tuple[Path, ...]:
    """The source files that a module depends on, relative to the project, including its own.

    Imports inside of functions count, imports under `TYPE_CHECKING` don't. The `__init__.py` files of packages are left
    out, because they contain only a docstring and re-exports.

    Args:
        module: a module of the project, such as `pipelines.stages.corpus`.
    """
    known = {module}
    pending = [module]
    while pending:
        for imported in _imports(pending.pop()):
            if imported not in known and imported not in DOES_NOT_DECIDE:
                known.add(imported)
                pending.append(imported)
    return tuple(sorted(_file(name) for name in known))


@cache
def hash_code(module: str) -> str:
    """SHA-256 over the source files that a module depends on."""
    digest = sha256()
    for path in source_files(module):
        digest.update(f"{path}\0".encode() + (PROJECT / path).read_bytes() + b"\0")
    return digest.hexdigest()


def _imports(module: str) -> Iterator[str]:
    """The modules of the project that a module imports."""
    for node in _runtime_nodes(ast.parse((PROJECT / _file(module)).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if _is_module(alias.name))
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name for name in [node.module, *names] if _is_module(name))


def _runtime_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a syntax tree, except those under `if TYPE_CHECKING:`."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING"):
            yield child
            yield from _runtime_nodes(child)


def _is_module(name: str) -> bool:
    """Whether a name is a module of the project, and not a package or an object in a module."""
    return name.partition(".")[0] in PACKAGES and (PROJECT / _file(name)).is_file()


def _file(module: str) -> Path:
    return (PACKAGES[module.partition(".")[0]] / module.replace(".", "/")).with_suffix(".py")
