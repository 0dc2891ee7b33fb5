"""Reading the text files of a data set with the strict readers of this package.

`datasets` knows which files belong to a split. But it reads CSV with the guesses of pandas on quotes, types and missing
values, and in JSON it cannot tell the text "null" from null once a column has values of mixed types.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from textbook.errors import UserError
from textbook.params import DatasetAsset, Table
from textbook.tables.datasets import relative_name
from textbook.tables.delimited import NO_QUOTES, read_delimited
from textbook.tables.files import naming_file
from textbook.tables.jsonl import read_jsonl
from textbook.tables.lines import LineError

CSV_OPTIONS = {"sep", "delimiter", "quotechar", "quoting", "escapechar", "features"}
"""The options of a configuration of CSV files that are followed."""


def read_csv_files(builder: Any, split: str, asset: DatasetAsset, key: str, cache: Path) -> Any:
    """Read the CSV files of a split; all columns are text, unless the data set declares its features.

    Returns:
        An object of `datasets`.

    Raises:
        UserError: a file cannot be read completely, or does not have the features.
    """
    import datasets

    config = builder.config
    options = {name for name, value in vars(config).items() if value != getattr(type(config)(), name)}
    if unknown := sorted(options - CSV_OPTIONS - {"name", "version", "data_dir", "data_files", "description"}):
        raise UserError(f"{key}: its configuration sets {unknown[0]}, which is not supported for CSV files")
    quote = NO_QUOTES if config.quoting == csv.QUOTE_NONE else config.quotechar
    rules = Table(asset=key.rpartition(".")[2], delimiter=config.sep, quote=quote, escape=config.escapechar)
    tables = [_read_csv_file(path, name, rules) for path, name in _download(builder, split, asset, cache)]
    if other := next((table for table in tables if table.schema != tables[0].schema), None):
        raise UserError(
            f"{key}: the files of {split} have different columns: {', '.join(tables[0].column_names)} and"
            f" {', '.join(other.column_names)}"
        )
    table = datasets.Dataset(pa.concat_tables(tables))
    features = builder.info.features or config.features
    if features is None:
        return table
    if missing := [name for name in features if name not in table.column_names]:
        raise UserError(f"{key}: the files of {split} have no column {missing[0]!r}, which its features name")
    return _empty_as_null(table.select_columns(list(features)), features).cast(features)


def _read_csv_file(path: str, name: str, rules: Table) -> pa.Table:
    """The columns of a CSV file as text, without those whose name is empty or occurs twice."""
    delimiter = rules.delimiter or ","
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
        if rules.quote == NO_QUOTES:
            header = next(csv.reader(file, delimiter=delimiter, quoting=csv.QUOTE_NONE), [])
        else:
            header = next(csv.reader(file, delimiter=delimiter, quotechar=rules.quote), [])
    names = [one for one in header if one and header.count(one) == 1]
    try:
        with naming_file(name), pa.OSFile(path) as stream:
            blocks = [block.columns for block in read_delimited(name, stream, names, rules, delimiter)]
    except UserError as error:  # the keys that it advises are others in a data set
        advice = str(error).replace("`quote: none`", "`quoting: 3` for the configuration in README.md")
        raise UserError(advice.replace("`escape:", "`escapechar:")) from None
    return pa.concat_tables([pa.table({one: pa.array(block[one], pa.string()) for one in names}) for block in blocks])


def _empty_as_null(table: Any, features: Any) -> Any:
    """The table with null for empty fields of columns that are not text."""
    for name, feature in features.items():
        if getattr(feature, "dtype", None) != "string" and "" in table.unique(name):
            values = [value or None for value in table[name]]
            table = table.remove_columns(name).add_column(name, pa.array(values, pa.string()))
    return table


def read_json_columns(
    builder: Any, split: str, names: Sequence[str], asset: DatasetAsset, key: str, cache: Path
) -> dict[str, list[str | None]]:
    """Read columns from the files of JSON lines of a split; strings are as they are, other values are JSON.

    Raises:
        UserError: a file has something else than JSON lines.
    """
    texts: dict[str, list[str | None]] = {name: [] for name in names}
    for path, file in _download(builder, split, asset, cache):
        try:
            with naming_file(file), pa.OSFile(path) as stream:
                for block in read_jsonl(file, stream, None, names):
                    for name in names:
                        texts[name] += map(_as_json, block.columns[name])
        except LineError as error:
            raise UserError(
                f"{key}: {file}: line {error.line}: {error}; {names[0]} has values of mixed types"
            ) from None
    return texts


def _as_json(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _download(builder: Any, split: str, asset: DatasetAsset, cache: Path) -> Iterator[tuple[str, str]]:
    """The files of a split on this machine, extracted, each with its name in the data set."""
    import datasets

    downloads = datasets.DownloadConfig(cache_dir=cache / "downloads")
    manager = datasets.DownloadManager(dataset_name=builder.dataset_name, download_config=downloads)
    for origin in builder.config.data_files[split]:
        for path in manager.iter_files(manager.download_and_extract(origin)):
            yield path, relative_name(str(origin), asset)
