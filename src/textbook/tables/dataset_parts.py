"""Streaming the rows of a data set, shard by shard, with Hugging Face `datasets`."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa

from textbook.assets.manifest import STREAMED, check_unchanged, manifest_path, read_manifest
from textbook.errors import UserError
from textbook.files import digest
from textbook.params import DatasetAsset, Table
from textbook.tables.blocks import BLOCK_ROWS, Block, list_columns
from textbook.tables.datasets import is_saved, load_saved, open_builder, quiet_datasets
from textbook.tables.delimited import refuse_keys
from textbook.tables.where import Filter

HUB_BYTES = 64 << 20  # what a shard on the hub is taken for; its size is not asked for


@dataclass(frozen=True)
class DatasetPart:
    """A shard of a split of a data set that is streamed. Usually it is one of its files."""

    key: str
    """The asset's key in `params.yaml`, for messages."""
    name: str
    """`owner/name` on the hub, or the absolute path of a local folder."""
    revision: str | None
    config: str | None
    split: str
    shard: int
    """Number of the shard, from 0."""
    shards: int
    """Number of shards of the split."""
    file: str
    """The file of the shard, relative to the data set."""
    size: int
    """Approximate size in bytes."""

    @property
    def path(self) -> str:
        """What the part is called in messages."""
        return f"{self.key}: {self.file}"

    def identity(self) -> tuple[Any, ...]:
        """What determines its rows besides the content of the data set. Where a local folder is, doesn't matter."""
        return version("datasets"), self.config, self.split, self.shard, self.shards


def is_streamed(folder: Path) -> bool:
    """Whether a fetched asset is a data set that is streamed."""
    return STREAMED in read_manifest(folder)


def cut_dataset(folder: Path) -> dict[DatasetPart, str]:
    """The parts of the streamed data set that was fetched into `folder`, in order, each with a hash of the data set.

    Raises:
        UserError: a file of a local data set has changed since.
    """
    manifest = read_manifest(folder)
    settings, hashes = manifest[STREAMED], manifest["sha256"]
    name, size = settings["name"], HUB_BYTES
    if settings["revision"] is None:
        root = manifest_path(name, folder)
        paths = {str(root.joinpath(*Path(file).parts[1:])): value for file, value in hashes.items()}
        check_unchanged(paths, folder)
        name, size = (
            str(root),
            sum(Path(path).stat().st_size for path in paths) // sum(map(len, settings["shards"].values())),
        )
    content = digest(name, settings["revision"]) if settings["revision"] else digest(sorted(hashes.values()))
    key = f"assets.dataset.{folder.name}"
    return {
        DatasetPart(key, name, settings["revision"], settings["config"], split, shard, len(files), file, size): content
        for split, files in settings["shards"].items()
        for shard, file in enumerate(files)
    }


def read_dataset(part: DatasetPart, columns: Sequence[str], rules: Table) -> Iterator[Block]:
    """Read the rows of a part that match `rules.where`, with the named columns, in order; one block is in memory.

    Raises:
        UserError: a column is missing, a condition cannot match, or the data set cannot be read.
    """
    refuse_keys(part.path, rules)
    matching = Filter(rules.where, part.path)
    wanted = list(dict.fromkeys([*columns, *rules.where]))
    first = 0
    with tempfile.TemporaryDirectory() as cache, quiet_datasets(part.path, Path(cache)):
        for table in _read_shard(part, wanted):
            values = {name: _values(part, table, name) for name in wanted}
            yield matching(Block(values, first)).select(columns)
            first += table.num_rows
        matching.close()


def _read_shard(part: DatasetPart, columns: list[str]) -> Iterator[pa.Table]:
    stream, names = _open_split(
        part.key, part.name, part.revision, part.config, part.split, part.shards, tuple(columns)
    )
    for name in columns:
        if names is not None and name not in names:
            raise UserError(f"{part.path}: has no column {name!r}; it has {list_columns(names)}")
    yield from stream.shard(part.shards, part.shard).select_columns(columns).with_format("arrow").iter(BLOCK_ROWS)


@lru_cache(maxsize=8)
def _open_split(
    key: str, name: str, revision: str | None, config: str | None, split: str, shards: int, columns: tuple[str, ...]
) -> tuple[Any, list[str] | None]:
    """A split as a stream of `datasets`, and the names of all its columns, if these are known before it is read.

    A process opens it once for all shards, because on the hub that takes requests.
    """
    asset = DatasetAsset(name=name, revision=revision, config=config, splits=[split], stream=True)
    with tempfile.TemporaryDirectory() as cache, quiet_datasets(key, Path(cache)):
        if is_saved(asset):
            saved = load_saved(asset, key)[split]
            return saved.to_iterable_dataset(num_shards=shards), saved.column_names
        builder = open_builder(asset, key, Path(cache))
        stream = builder.as_streaming_dataset(split=split)
        names = stream.column_names
        if builder.name == "parquet" and names is not None and set(columns) <= set(names):
            builder.config.columns = list(columns)  # the others are not downloaded
            stream = builder.as_streaming_dataset(split=split)
    if stream.num_shards != shards:
        raise UserError(f"{key}: {split} has {stream.num_shards} shards, but had {shards} when it was fetched")
    return stream, names


def _values(part: DatasetPart, table: pa.Table, name: str) -> list[Any]:
    """The values of a column as Python objects."""
    if name not in table.column_names:
        raise UserError(f"{part.path}: has no column {name!r}; it has {list_columns(table.column_names)}")
    column = table[name]
    column.validate(full=True)  # Arrow does not check UTF-8 when it reads
    if isinstance(column.type, pa.JsonType):
        raise UserError(f"{part.path}: column {name!r} has values of mixed types, which only `stream: false` can read")
    values: list[Any] = column.to_pylist()
    return values
