"""Opening data sets with Hugging Face `datasets`: of the hub, of a folder laid out like one, or saved with it.

Code in a data set is never run: `datasets` has no loading scripts any more, and only formats of tables are read.
"""

import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from textbook.assets.walk import check_content, walk_files
from textbook.disk import is_disk_full
from textbook.errors import UserError
from textbook.params import DatasetAsset

REMOTE = "hf://"
KINDS = ("parquet", "csv", "json", "text", "arrow")
"""The formats that are read, by the names of `datasets`. Others have sound and images, or pickles."""
SUFFIXES = {".parquet": "parquet", ".csv": "csv", ".tsv": "csv", ".json": "json", ".txt": "text", ".arrow": "arrow"}
LONGEST = 300  # characters of an error message


def is_saved(asset: DatasetAsset) -> bool:
    """Whether a data set is a folder that `save_to_disk` wrote."""
    names = ("dataset_dict.json", "state.json")
    return asset.revision is None and any((Path(asset.name) / name).is_file() for name in names)


def load_saved(asset: DatasetAsset, key: str) -> dict[str, Any]:
    """The chosen splits of a folder that `save_to_disk` wrote; their rows stay on the disk.

    Raises:
        UserError: a split is unknown, or `config` is set.
    """
    import datasets

    if asset.config is not None:
        raise UserError(
            f"{key}.config = {asset.config!r}: must be left out, because {asset.name} has no configurations"
        )
    for file in walk_files(Path(asset.name)):
        check_content(file)
    saved = datasets.load_from_disk(os.path.abspath(asset.name))
    splits = saved if isinstance(saved, dict) else {str(saved.split or "train"): saved}
    for file in (file["filename"] for table in splits.values() for file in table.cache_files):
        if not Path(os.path.normpath(file)).is_relative_to(os.path.abspath(asset.name)):
            raise UserError(f"{key}: reads {file}, which is not one of the files of {asset.name}")
    return {split: splits[split] for split in choose_splits(asset, list(splits), key)}


def open_builder(asset: DatasetAsset, key: str, cache: Path) -> Any:
    """The builder of a data set, with the chosen splits only; no row is read.

    Raises:
        UserError: there is no such data set, configuration or split, or its files are not tables or not its own.
    """
    import datasets

    local = asset.revision is None
    root = str(Path(asset.name).resolve()) if local else f"{REMOTE}datasets/{asset.name}"
    if local:
        _check_folder(Path(root), asset, key)
    pinned = {} if local else {"revision": asset.revision}
    config = asset.config or _only_config(root, pinned, key)
    names = datasets.get_dataset_config_names(root, **pinned)
    if config not in names:
        raise UserError(f"{key}.config = {config!r}: must be one of {', '.join(names)}")
    builder = datasets.load_dataset_builder(root, config, cache_dir=str(cache), **pinned)
    if builder.name not in KINDS:
        raise UserError(f"{key}: {asset.name} has {builder.name} files; supported are {', '.join(KINDS)}")
    files = builder.config.data_files
    other = next((kind for kind in map(_kind, (one for some in files.values() for one in some)) if kind), builder.name)
    if other != builder.name:
        raise UserError(
            f"{key}.config = {config!r}: has {other} files, but `datasets` reads all configurations as the first one,"
            f" which has {builder.name} files; read its files as an asset of kind {'path' if local else 'hub'}"
        )
    splits = choose_splits(asset, list(map(str, files)), key)
    builder.config.data_files = datasets.data_files.DataFilesDict({split: files[split] for split in splits})
    if builder.info.splits:
        for split in set(builder.info.splits) - set(splits):
            del builder.info.splits[split]
    own = _prefix(asset)
    for file in (str(file).rpartition("::")[2] for split in splits for file in builder.config.data_files[split]):
        if not file.startswith(own) or ".." in Path(file.removeprefix(own)).parts:
            raise UserError(f"{key}: reads {file}, which is not one of the files of {asset.name}")
        if local:
            check_content(Path(file))
    return builder


def choose_splits(asset: DatasetAsset, splits: Sequence[str], key: str) -> list[str]:
    """The splits to read.

    Raises:
        UserError: an unknown one is named.
    """
    for split in asset.splits or []:
        if split not in splits:
            raise UserError(f"{key}.splits = {asset.splits}: {split!r} is not one of {', '.join(splits)}")
    return asset.splits or list(splits)


def relative_name(file: str, asset: DatasetAsset) -> str:
    """A file of a data set, relative to it."""
    return file.rpartition("::")[2].removeprefix(_prefix(asset))


def doubtful_columns(features: Any, times: bool) -> list[str]:
    """The columns with values of mixed types, which `datasets` cannot always tell from text.

    Args:
        times: also those of dates and times, for which `datasets` may have taken text in JSON.
    """
    import datasets

    kinds = ("timestamp", "date", "time") if times else ()
    return [
        name
        for name, feature in features.items()
        if isinstance(feature, datasets.Json) or str(getattr(feature, "dtype", "")).startswith(kinds)
    ]


def _prefix(asset: DatasetAsset) -> str:
    """What the files of a data set begin with, in the way that `datasets` names them."""
    if asset.revision is None:
        return f"{Path(asset.name).resolve().as_posix()}/"
    return f"{REMOTE}datasets/{asset.name}@{asset.revision}/"


@contextmanager
def quiet_datasets(key: str, cache: Path) -> Iterator[None]:
    """A context in which errors of `datasets` become a line, and its files go to a folder instead of the user's home.

    Nothing is reported to the hub. In offline mode, or if the user has chosen a cache of the hub, that cache is used.

    Raises:
        UserError: a data set cannot be read; the message begins with `key`.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import datasets
    import huggingface_hub.constants as hub

    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False
    datasets.disable_progress_bars()
    hub_cache, xet_cache = hub.HF_HUB_CACHE, os.environ.get("HF_XET_CACHE")
    if not (hub.HF_HUB_OFFLINE or {"HF_HOME", "HF_HUB_CACHE"} & set(os.environ)):
        hub.HF_HUB_CACHE = str(cache / "hub")
        os.environ["HF_XET_CACHE"] = str(cache / "xet")
    log = _ErrorLog()
    logger = datasets.utils.logging.get_logger()
    for handler in logger.handlers:
        handler.addFilter(log)
    try:
        yield
    except (NameError, AssertionError):
        raise
    except UserError as error:
        raise error if str(error).startswith(key.partition(":")[0]) else UserError(f"{key}: {error}") from None
    except Exception as error:  # `datasets` raises errors of every library that it uses
        if is_disk_full(error):
            raise _root_cause(error) from None
        raise UserError(f"{key}: {log.file}{_explain(error)}") from None
    finally:
        for handler in logger.handlers:
            handler.removeFilter(log)
        hub.HF_HUB_CACHE = hub_cache
        os.environ.pop("HF_XET_CACHE", None)
        if xet_cache is not None:
            os.environ["HF_XET_CACHE"] = xet_cache


class _ErrorLog(logging.Filter):
    """Keeps errors out of the log of `datasets`, but takes note of the file that they name. Warnings pass."""

    file = ""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.ERROR:
            return True
        if name := re.search("'([^']+)'", record.getMessage()):
            self.file = f"{name[1]}: "
        return False


def _kind(file: str) -> str | None:
    """The format of a file by its name, among `KINDS`; None if it is unknown."""
    name = file.rpartition("/")[2].lower()
    return next((kind for suffix, kind in SUFFIXES.items() if suffix in name), None)


def _check_folder(root: Path, asset: DatasetAsset, key: str) -> None:
    """Check that a local data set is a folder without a loading script."""
    if not root.is_dir():
        hint = "" if asset.name.count("/") != 1 else "; a data set of the hub needs a revision"
        raise UserError(f"{key}.name = {asset.name!r}: no such folder{hint}")
    for path in sorted(root.glob("*.py")):
        if re.search(rb"\b(GeneratorBased|ArrowBased|BeamBased|Dataset)Builder\b", path.read_bytes()):
            raise UserError(
                f"{key}: {asset.name} is loaded by a script, {path.name}, and code in a data set is never run"
            )


def _only_config(root: str, pinned: dict[str, Any], key: str) -> str:
    """The default configuration of a data set, or its only one."""
    import datasets

    default = datasets.get_dataset_default_config_name(root, **pinned)
    if default is None:
        names = ", ".join(datasets.get_dataset_config_names(root, **pinned))
        raise UserError(f"{key}.config is missing: {root} has the configurations {names}")
    return str(default)


def _root_cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _explain(error: Exception) -> str:
    """An error of `datasets` in one line."""
    from datasets.exceptions import DatasetGenerationCastError, DatasetGenerationError

    if isinstance(error, DatasetGenerationCastError):  # has the columns and the file, among advice
        root: BaseException = ValueError(str(error).partition("\n\nPlease ")[0].partition("dataset\n\n")[2])
    else:  # the general one says only that something went wrong
        root = _root_cause(error) if isinstance(error, DatasetGenerationError) else error
    text = " ".join(str(root).split()).partition(" with any supported extension")[0] or type(root).__name__
    source = "README.md: " if type(root).__module__.startswith("yaml") else ""
    return source + (text if len(text) <= LONGEST else f"{text[:LONGEST]} …")
