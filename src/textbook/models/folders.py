"""Model folders as people have them: where the encoder's files are, and what keeps them from being read.

transformers, tokenizers, safetensors and PyTorch have no common class for damaged or unknown files. `reading` turns
whatever they raise into one line.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tokenizers

from textbook.assets.walk import check_content
from textbook.errors import UserError, first_line
from textbook.files import digest, read_json, sha256

_MODULES = "modules.json"  # of sentence-transformers
READ = {".safetensors", ".json", ".txt", ".model"}  # the suffixes of the files that transformers reads
_PANIC = "PanicException"  # of code in Rust; a BaseException of a class that cannot be imported
_OF_TOKENIZER = ("*token*.json", "vocab*", "merges*", "*.model")


def model_folder(folder: Path) -> Path:
    """The folder with the files of the encoder, after a check of what they are.

    It is `folder` itself, or the module of kind `Transformer` in a folder of an old sentence-transformers, such as
    `0_Transformer`.

    Raises:
        UserError: a file is a Git LFS pointer or damaged, or the model is run by code in its folder.
    """
    files = folder / _transformer_module(folder)
    for path in sorted(files.glob("*")):
        if path.suffix in READ and path.is_file():
            check_content(path)
    for path in (files / "config.json", files / "tokenizer_config.json"):
        if code := read_settings(path).get("auto_map"):
            raise UserError(
                f"{path}: names code of the model's own (auto_map: {code}), and code that comes with a model is never"
                " run; use a model of the supported families, or remove auto_map if the model is one"
            )
    return files


def tokenizer_hash(folder: Path) -> str:
    """One name for everything in a model folder that decides how its tokenizer splits a text."""
    files = model_folder(folder)
    paths = {path for pattern in _OF_TOKENIZER for path in files.glob(pattern) if path.is_file()}
    config = read_settings(files / "config.json")  # names the class, if the files of the tokenizer don't
    return digest({path.name: sha256(path) for path in paths}, config.get("model_type"), config.get("tokenizer_class"))


def read_settings(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file; empty if there is no file.

    Raises:
        UserError: the file is damaged, or a Git LFS pointer.
    """
    if not path.is_file():
        return {}
    check_content(path)
    settings = read_json(path)
    if not isinstance(settings, dict):
        raise UserError(f"{path}: must be a mapping of names to values")
    return settings


def _transformer_module(folder: Path) -> str:
    """The name of the subfolder with the encoder; an empty string if the encoder is in the folder itself."""
    listed = read_json(folder / _MODULES) if (folder / _MODULES).is_file() else []
    modules = listed if isinstance(listed, list) else []
    names = [str(module.get("path")) for module in modules if isinstance(module, dict)]
    if not _is_encoder(folder):
        names.append("0_Transformer")  # a folder that was copied without its list of modules
    inside = (name for name in names if Path(name).name == name != "..")
    return next((name for name in inside if _is_encoder(folder / name)), "")


def _is_encoder(folder: Path) -> bool:
    return "model_type" in read_settings(folder / "config.json")


@contextmanager
def reading(folder: Path, what: str) -> Iterator[None]:
    """Turn every exception of the block into one line about a model folder.

    Raises:
        UserError: the block raised an exception.
    """
    try:
        yield
    except UserError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != _PANIC:
            raise
        raise UserError(f"{folder}: cannot load {what}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """What is wrong with a model folder, and the remedy if it is known."""
    kind = type(error).__name__
    text = first_line(error)
    if kind in ("Exception", _PANIC):  # tokenizers raises nothing more specific
        return (
            f"its tokenizer.json does not suit tokenizers {tokenizers.__version__} ({text}): it is damaged, or another"
            " version saved it; save it with this version, or remove it if the vocabulary is in a file beside it"
        )
    if kind == "SafetensorError":
        return f"its weights are no complete safetensors file ({text}); copy or download it again"
    if "tiktoken" in text:  # what transformers tries last
        return "its vocabulary is no SentencePiece model that can be read"
    return text if isinstance(error, OSError | ValueError | RuntimeError) else f"{kind}: {text}"
