"""The folder of a pulled model: the files it takes from the registry, and the description that is written here.

Whoever may write to the registry decides what is in a model, so nothing is taken that can run code. Weights are
safetensors, tokenizers are data, and `MLmodel`, which names the modules that MLflow imports, is made here.
"""

import json
import platform
import re
import shutil
from pathlib import Path
from typing import Any

from mlflow.models import Model
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from textbook.errors import UserError
from tracking.card import CARD
from tracking.registry import ADDED_BY_MLFLOW, signature

DESCRIPTION, REQUIREMENTS_FILE = "MLmodel", "requirements.txt"
WEIGHTS, TOKENIZER = Path("model"), Path("components", "tokenizer")
_ALLOWED = {
    Path(): {
        *(CARD, DESCRIPTION, REQUIREMENTS_FILE, ADDED_BY_MLFLOW, "LICENSE.txt", "conda.yaml", "python_env.yaml"),
        *("input_example.json", "serving_input_example.json"),
    },
    WEIGHTS: {"config.json", "model.safetensors", "model.safetensors.index.json"},
    TOKENIZER: {
        *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt"),
        *("vocab.json", "merges.txt", "spm.model", "spiece.model", "sentencepiece.bpe.model"),
    },
}
_SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
_REQUIREMENT = re.compile(r"(mlflow|torch|transformers|safetensors)==\d[\w.]*")


def check_names(source: Path, model: str) -> None:
    """Check that a downloaded model has only files that a model of this project has.

    Args:
        model: the name of the model, for messages.

    Raises:
        UserError: it has another file.
    """
    paths = [path.relative_to(source) for path in source.rglob("*") if not path.is_dir() or path.is_symlink()]
    other = sorted(str(path) for path in paths if not _is_allowed(path) or (source / path).is_symlink())
    if other:
        raise UserError(f"{model}: has files that no model of this project has: {', '.join(other)}")


def check_contents(source: Path, model: str) -> None:
    """Check that no file of a downloaded model names code or other files to load.

    Raises:
        UserError: a file does.
    """
    for path in source.rglob("*.json"):
        if path.parent == source:  # examples of inputs
            continue
        name, content = path.relative_to(source), _read_json(path, model)
        if "auto_map" in content:
            raise UserError(f"{model}: {name} names code that would be run (auto_map)")
        shards = content.get("weight_map", {})
        if not isinstance(shards, dict) or not all(_SHARD.fullmatch(str(shard)) for shard in shards.values()):
            raise UserError(f"{model}: {name} names weights that are not safetensors beside it")


def arrange(source: Path, target: Path, model: str) -> None:
    """Copy a checked model from MLflow's layout to one folder that both Hugging Face and MLflow can load.

    Raises:
        UserError: its description or requirements are not those of a model of this project.
    """
    inputs = _inputs(source, model)
    requirements = (source / REQUIREMENTS_FILE).read_text(encoding="utf-8").split()
    for line in requirements:
        if not _REQUIREMENT.fullmatch(line):
            raise UserError(f"{model}: {REQUIREMENTS_FILE} asks for {line!r}, which no model of this project needs")
    shutil.copytree(source / WEIGHTS, target)
    shutil.copytree(source / TOKENIZER, target, dirs_exist_ok=True)
    shutil.copytree(source / TOKENIZER, target / TOKENIZER)  # MLflow loads it from here
    shutil.copy(source / CARD, target)
    (target / REQUIREMENTS_FILE).write_text("\n".join(requirements) + "\n", encoding="utf-8")
    description = Model(signature=signature(pair=inputs == 2))
    # With classes of transformers by name, MLflow never trusts code that a model brings along.
    description.add_flavor(
        "transformers",
        task="text-classification",
        instance_type="TextClassificationPipeline",
        pipeline_model_type="AutoModelForSequenceClassification",
        tokenizer_type="AutoTokenizer",
        components=["tokenizer"],
        model_binary=".",
        code=None,
    )
    description.add_flavor(
        "python_function", loader_module="mlflow.transformers", python_version=platform.python_version()
    )
    description.save(str(target / DESCRIPTION))


def _is_allowed(path: Path) -> bool:
    return path.name in _ALLOWED.get(path.parent, ()) or (path.parent == WEIGHTS and bool(_SHARD.fullmatch(path.name)))


def _inputs(source: Path, model: str) -> int:
    """The number of texts that the model takes: 1, or 2 for a pair."""
    try:
        described = YAML(typ="safe", pure=True).load(source / DESCRIPTION)
        return len(json.loads(described["signature"]["inputs"]))
    except (OSError, YAMLError, ValueError, KeyError, TypeError):
        raise UserError(f"{model}: {DESCRIPTION} does not describe its inputs") from None


def _read_json(path: Path, model: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{model}: {path.name} is no JSON ({error})") from None
    return content if isinstance(content, dict) else {}
