"""Reading the pickles in an index of Whoosh without running code that is in them.

A pickle can name any function and call it. Whoosh's own files need a few harmless names; everything else is refused,
and so is an index of another version of Whoosh.
"""

import pickle
from io import BytesIO
from typing import Any, BinaryIO

from whoosh import columns, index
from whoosh.codec import whoosh3
from whoosh.filedb import structfile

NEEDED = {
    ("_codecs", "encode"),
    ("builtins", "int"),
    ("collections", "defaultdict"),
    ("whoosh.codec.whoosh3", "W3Codec"),
    ("whoosh.codec.whoosh3", "W3Segment"),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in NEEDED:
            raise pickle.UnpicklingError(f"a file names {module}.{name}, which no index needs")
        return super().find_class(module, name)


def read_safely() -> None:
    """Replace the functions with which Whoosh reads pickles, for all of this process."""
    structfile.load = _load  # type: ignore[attr-defined,assignment]
    columns.loads = whoosh3.loads = _loads  # type: ignore[attr-defined,assignment]
    index.toc_loaders = {}  # type: ignore[attr-defined]  # they read pickles in a way of their own


def _load(file: BinaryIO) -> Any:
    return _Unpickler(file).load()


def _loads(content: bytes) -> Any:
    return _Unpickler(BytesIO(content)).load()
