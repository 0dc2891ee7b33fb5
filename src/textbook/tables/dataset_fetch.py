"""Fetching data sets that Hugging Face `datasets` reads, as Parquet with their features and class names."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from textbook.assets.manifest import FILES, MANIFEST, STREAMED, hash_files, portable, write_manifest
from textbook.errors import UserError
from textbook.files import atomic_write, write_json
from textbook.params import DatasetAsset
from textbook.tables.dataset_files import read_csv_files, read_json_columns
from textbook.tables.datasets import (
    doubtful_columns,
    is_saved,
    load_saved,
    open_builder,
    quiet_datasets,
    relative_name,
)


def fetch_dataset(asset: DatasetAsset, folder: Path) -> dict[str, int]:
    """Fetch a data set into `folder`, which is written only on success: one Parquet file per split, and a manifest.

    Of a data set that is streamed there is the manifest only, which lists its splits and their files.

    Returns:
        The number of rows of each split; empty for one that is streamed.

    Raises:
        UserError: the data set cannot be read; the message names its key in `params.yaml`.
    """
    key = f"assets.dataset.{folder.name}"
    rows: dict[str, int] = {}
    with atomic_write(folder) as temporary:
        temporary.mkdir()
        cache = temporary.parent / "cache"  # removed together with the temporary folder
        with quiet_datasets(key, cache):
            if asset.stream:
                _write_stream(asset, key, cache, temporary, folder)
                return rows
            (temporary / FILES).mkdir()
            for split, table in _read_splits(asset, key, cache):
                table.to_parquet(temporary / FILES / f"{split}.parquet")
                rows[split] = len(table)
        write_manifest(temporary, temporary / FILES, FILES)
    return rows


def _read_splits(asset: DatasetAsset, key: str, cache: Path) -> Iterator[tuple[str, Any]]:
    """The chosen splits as objects of `datasets`."""
    if is_saved(asset):
        for split, table in load_saved(asset, key).items():
            yield split, _settle(table, split, None, asset, key, cache)
        return
    builder = open_builder(asset, key, cache)
    if builder.name == "csv":
        for split in builder.config.data_files:
            yield split, read_csv_files(builder, split, asset, key, cache)
        return
    builder.download_and_prepare()
    for split in builder.config.data_files:
        yield split, _settle(builder.as_dataset(split=split), split, builder, asset, key, cache)


def _settle(table: Any, split: str, builder: Any, asset: DatasetAsset, key: str, cache: Path) -> Any:
    """The table with text in the columns whose values `datasets` has guessed wrong, or may have."""
    written_as_json = builder is not None and builder.name == "json"
    names = doubtful_columns(table.features, times=written_as_json)
    if not names:
        return table
    if not written_as_json:  # it was saved with mixed types; as binary it is refused where text is wanted
        return _replace(table, {name: table.data.column(name).cast(pa.string()).cast(pa.binary()) for name in names})
    texts = read_json_columns(builder, split, names, asset, key, cache)
    if any(len(values) != len(table) for values in texts.values()):
        raise UserError(
            f"{key}: the files of {split} have {len(texts[names[0]])} rows, of which {len(table)} were read"
        )
    return _replace(table, {name: pa.array(values, pa.string()) for name, values in texts.items()})


def _replace(table: Any, columns: dict[str, Any]) -> Any:
    """The table with other values in some columns."""
    order = table.column_names
    for name, values in columns.items():
        table = table.add_column(f"new {name}", values).remove_columns(name).rename_column(f"new {name}", name)
    return table.select_columns(order)


def _write_stream(asset: DatasetAsset, key: str, cache: Path, temporary: Path, folder: Path) -> None:
    """Write the manifest of a data set that is streamed."""
    shards: dict[str, list[str]] = {}
    if is_saved(asset):
        for split, table in load_saved(asset, key).items():
            count = len(table.cache_files)
            shards[split] = [f"{split}, shard {number} of {count}" for number in range(count)]
    else:
        builder = open_builder(asset, key, cache)
        if builder.name == "csv":
            raise UserError(f"{key}.stream = true: must be false for CSV files, which are checked before they are read")
        for split, files in builder.config.data_files.items():
            count = builder.as_streaming_dataset(split=split).num_shards
            names = [relative_name(str(file), asset) for file in files]
            shards[str(split)] = (
                names if len(names) == count else [f"{split}, shard {number} of {count}" for number in range(count)]
            )
    local = asset.revision is None
    settings = {
        "name": portable(asset.name, folder) if local else asset.name,
        "revision": asset.revision,
        "config": asset.config,
        "shards": shards,
    }
    hashes = hash_files(Path(asset.name).absolute()) if local else {}
    write_json(temporary / MANIFEST, {STREAMED: settings, "sha256": hashes})
