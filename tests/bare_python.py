"""A Python that finds only the packages that a bundle needs, and what these need themselves, without pydantic."""

import os
import re
import sys
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

from packaging.requirements import Requirement

SITE = """\
import sys
from importlib.machinery import PathFinder

ALLOWED = {allowed!r}


class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        spec = PathFinder.find_spec(name, path, target)
        installed = spec and "site-packages" in str(spec.origin or list(spec.submodule_search_locations or []))
        return None if installed and name.partition(".")[0] not in ALLOWED else spec


sys.meta_path[:] = [Finder if finder is PathFinder else finder for finder in sys.meta_path
                    if not str(getattr(finder, "__name__", "")).startswith("__editable__")]
"""


def bare_environment(folder: Path, packages: list[str]) -> dict[str, str]:
    """The environment of a Python, and of those that it starts, which finds these packages only.

    Args:
        folder: gets the module that Python imports when it starts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(SITE.format(allowed=sorted(modules_of(packages))))
    return {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}


def modules_of(packages: list[str]) -> set[str]:
    """The top-level modules of packages and of all that they require."""
    needed, waiting = set(), list(packages)
    while waiting:
        name = normal(waiting.pop())
        if name in needed:
            continue
        needed.add(name)
        try:
            requirements = distribution(name).requires or []
        except PackageNotFoundError:  # for another platform
            continue
        parsed = map(Requirement, requirements)
        waiting += [other.name for other in parsed if not other.marker or other.marker.evaluate({"extra": ""})]
    needed -= {"pydantic", "pydantic-core"}  # of typer, which transformers needs for its command line only
    return {module for module, names in packages_distributions().items() if needed & set(map(normal, names))}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":  # bare_python.py FOLDER PACKAGE…
    print(bare_environment(Path(sys.argv[1]), sys.argv[2:])["PYTHONPATH"])
