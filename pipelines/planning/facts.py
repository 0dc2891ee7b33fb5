"""What the files say of the sizes of a run, and where they are not there yet, DVC's notes on an earlier run."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.paths import ASSETS, TASKS
from textbook.assets.manifest import MANIFEST, list_files
from textbook.assets.walk import walk_files
from textbook.errors import UserError
from textbook.files import read_json
from textbook.models.folders import model_folder
from textbook.params import Params, Table, Task
from textbook.plan.sizes import ROW_BYTES, TASK_SHARE, Facts, Rows, Shape, likely_shape
from textbook.tables.files import COMPRESSIONS, Part, find_tables
from textbook.tables.read import as_text, read_rows_of
from textbook.tasks.splits import TRAIN, VALIDATION

PACKED = 3.0  # bytes of text for each byte of a compressed file
LENGTH_BYTES = 4  # that Parquet stores before each text
MOST_READ = 64 << 20  # bytes of a task's file that is read to count its rows


def read_facts(params: Params, sizes: Mapping[str, float]) -> Facts:
    """What is known of the sizes of a run.

    Args:
        sizes: bytes of outputs by path, as DVC noted them when they were made with the same parameters.
    """
    assets = {name: _asset_size(params, name, sizes) for name in params.assets.names()}
    return Facts(
        sources={name: _source_bytes(params, source, assets) for name, source in params.corpus.sources.items()},
        tasks={name: _rows(params, name, task, sizes) for name, task in params.tasks.items()},
        encoders={name: _shape(params, name, assets) for name in _encoders(params)},
        assets=assets,
    )


def _root(params: Params, asset: str) -> Path | None:
    """The file or folder of an asset; None if it is not there."""
    with suppress(UserError, OSError, KeyError):
        if asset in params.assets.path:
            path = Path(params.assets.path[asset].path)
            return path if path.exists() else None
        if (ASSETS / asset / MANIFEST).is_file():
            return list_files(ASSETS / asset)[0]
    return None


def _asset_size(params: Params, name: str, sizes: Mapping[str, float]) -> float | None:
    root = _root(params, name)
    with suppress(UserError, OSError):
        if root:
            return float(sum(file.stat().st_size for file in walk_files(root)))
    return sizes.get(str(ASSETS / name))


def _source_bytes(params: Params, source: Table, assets: Mapping[str, float | None]) -> float | None:
    """Bytes of text of a source: of its column in Parquet files, otherwise of whole files, as if all were text.

    `where` is taken to keep all.
    """
    column = getattr(source, "column", "text")
    root = _root(params, source.asset)
    if root is None:
        return assets.get(source.asset)
    try:
        return sum(_text_bytes(path, [column]) for path in find_tables(root, source.files))
    except (UserError, OSError, pa.ArrowException):
        return None


def _text_bytes(path: Path, columns: Sequence[str]) -> float:
    if path.suffix == ".parquet":
        return _parquet_text(path, columns)[1]
    return path.stat().st_size * (PACKED if path.suffix in COMPRESSIONS else 1.0)


def _parquet_text(path: Path, columns: Sequence[str]) -> tuple[int, float]:
    """The rows of a Parquet file, and the bytes of its columns before compression."""
    metadata = pq.read_metadata(path)
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    parts = [group.column(place) for group in groups for place in range(group.num_columns)]
    read = [part for part in parts if part.path_in_schema in columns]
    size = sum(part.total_uncompressed_size - LENGTH_BYTES * part.num_values for part in read)
    return metadata.num_rows, float(max(0, size))


def _rows(params: Params, name: str, task: Task, sizes: Mapping[str, float]) -> Rows | None:
    """The rows of a task: as it was prepared, as its files have them, or as the size of its preparation suggests."""
    try:
        if str(TASKS / name) in sizes and (prepared := _prepared_rows(TASKS / name)):
            return prepared
        root = _root(params, task.asset)
        if root:
            return _rows_of_files(task, root)
    except (UserError, OSError, pa.ArrowException):
        return None
    if noted := sizes.get(str(TASKS / name)):
        text = noted / TASK_SHARE
        return _held_out(task, round(text / ROW_BYTES), text)
    return None


def _prepared_rows(folder: Path) -> Rows | None:
    """The rows of a task that was prepared; None if it was not."""
    train, validation = folder / f"{TRAIN}.parquet", folder / f"{VALIDATION}.parquet"
    if not (train.is_file() and validation.is_file()):
        return None
    rows, size = _parquet_text(train, ["sentence", "sentence1", "sentence2"])
    return Rows(rows, pq.read_metadata(validation).num_rows, size / max(1, rows))


def _rows_of_files(task: Task, root: Path) -> Rows:
    """The rows in the files of a task, before duplicates are removed."""
    tables = find_tables(root, task.files)
    if task.holdout is None:
        train = [path for path in tables if _is_split(path, TRAIN)]
        validation = [path for path in tables if _is_split(path, task.validation[0])]
        rows, size = _count(task, train)
        return Rows(rows, _count(task, validation)[0], size / max(1, rows))
    return _held_out(task, *_count(task, [path for path in tables if _is_split(path, TRAIN)] or tables))


def _is_split(path: Path, split: str) -> bool:
    return path.name.split(".")[0].split("-")[0] == split or path.parent.name == split


def _count(task: Task, tables: Sequence[Path]) -> tuple[int, float]:
    """The rows of tables, and the bytes of their texts. Large files that are not Parquet are not read."""
    rows, size = 0, 0.0
    for path in tables:
        if path.suffix == ".parquet" and not task.where:
            more, text = _parquet_text(path, task.text)
        elif path.stat().st_size <= MOST_READ:
            more, text = _read(task, path)
        else:
            text = _text_bytes(path, task.text)
            more = round(text / ROW_BYTES)
        rows, size = rows + more, size + text
    return rows, size


def _read(task: Task, path: Path) -> tuple[int, float]:
    """The rows of one file, counted, and the bytes of their texts."""
    rows, size = 0, 0
    for block in read_rows_of(Part(str(path)), task.text, task):
        rows += len(block)
        for column in task.text:
            size += sum(len(text.encode()) for text in as_text(str(path), block, column) if text)
    return rows, float(size)


def _held_out(task: Task, rows: int, size: float) -> Rows:
    """The rows of a task with this many before the hold-out."""
    share = task.holdout or 0.1
    held_out = share if isinstance(share, int) else round(share * rows)
    return Rows(max(1, rows - held_out), held_out, size / max(1, rows))


def _encoders(params: Params) -> set[str]:
    """The assets whose shape matters: the teacher, and the masked language models with what they are trained from."""
    trained = params.assets.masked_lm
    asked = {book.masked_lm for book in params.textbooks.augmented.values()}
    return {params.teacher.asset, *asked, *(settings.encoder for settings in trained.values())}


def _shape(params: Params, name: str, assets: Mapping[str, float | None]) -> Shape | None:
    """The shape of an encoder: from its configuration, of what it is trained from, or by its size alone."""
    if name in params.assets.masked_lm:
        return _shape(params, params.assets.masked_lm[name].encoder, assets)
    if root := _root(params, name):
        with suppress(UserError, OSError, KeyError, TypeError, ValueError):
            return shape_of_config(read_json(model_folder(root) / "config.json"))
        return None
    size = assets.get(name)
    return None if size is None else likely_shape(size)


def shape_of_config(config: Mapping[str, Any]) -> Shape:
    """The shape of an encoder from its `config.json`.

    Raises:
        KeyError: a size is missing.
    """
    kind = str(config["model_type"])
    if kind == "distilbert":  # names of its own; its layers are BERT's
        kind = "bert"
        layers, hidden, wide = config["n_layers"], config["dim"], config["hidden_dim"]
    else:
        layers, hidden, wide = config["num_hidden_layers"], config["hidden_size"], config["intermediate_size"]
    positions = int(config.get("max_position_embeddings", 512))
    return Shape(int(layers), int(hidden), int(wide), int(config["vocab_size"]), kind, positions)
