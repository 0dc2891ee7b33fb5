"""Reading `params.yaml`. Keys are checked one by one, then against each other; one message reports all mistakes."""

import os
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from textbook.errors import UserError
from textbook.languages import language_problem
from textbook.params import AXES, ClassMetric, Distill, NumberMetric, Params, Student, Task

S = TypeVar("S", bound=BaseModel)

MOST_TASKS = 200  # DVC looks at all stages before it runs one; its time grows with the square, to minutes for so many


def load_params(path: Path = Path("params.yaml"), changes: Mapping[str, Any] = MappingProxyType({})) -> Params:
    """Read and check a parameter file.

    Args:
        changes: values that replace those of the file, by dotted name.

    Raises:
        UserError: a key is wrong; the message names each such key, its value and what is allowed.
    """
    try:
        raw = YAML(typ="safe", pure=True).load(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path}: must be a mapping with the keys {', '.join(Params.model_fields)}")
    for name, value in changes.items():
        _change(raw, name, value, str(path))
    return check_params(raw, str(path))


def check_params(raw: dict[str, Any], source: str) -> Params:
    """Check the content of a parameter file.

    Args:
        source: the name of the file in messages.

    Raises:
        UserError: a key is wrong; the message names each such key, its value and what is allowed.
    """
    params = check_section(Params, raw, source)
    problems = _contradictions(params)
    if problems:
        raise UserError("; ".join(f"{source}: {problem}" for problem in problems))
    _check_overrides(params, raw, source)
    return params


def check_section(section: type[S], raw: dict[str, Any], source: str) -> S:
    """Check the values of a section of the parameters one by one.

    Args:
        source: what the values are from, in messages.

    Raises:
        UserError: a key is wrong; the message names each such key, its value and what is allowed.
    """
    try:
        return section.model_validate(raw)
    except ValidationError as error:
        rules: dict[str, list[str]] = {}  # by key, because pydantic reports every branch of a union
        for problem in error.errors():
            key, rule = _describe(problem, raw, section)
            rules.setdefault(key, []).append(rule)
        raise UserError("; ".join(f"{source}: {key}{' or '.join(rules[key])}" for key in rules)) from None


def _check_overrides(params: Params, raw: dict[str, Any], source: str) -> None:
    """Check the parameters of each task's cells in a sweep, so that a wrong override fails before anything runs."""
    changes = {"sweep.set": params.sweep.set}
    changes |= {f"sweep.tasks.{task}": params.sweep.set | own for task, own in params.sweep.tasks.items()}
    for where, values in changes.items():
        if values:
            changed = deepcopy(raw)
            changed["sweep"] |= {"set": {}, "tasks": {}}
            for name, value in values.items():
                _change(changed, name, value, f"{source}: {where}")
            check_params(changed, f"{source}: {where}")


def _change(raw: dict[str, Any], name: str, value: Any, source: str) -> None:
    """Set a value by its dotted name."""
    *sections, last = name.split(".")
    for section in sections:
        raw = raw[section] if isinstance(raw, dict) and section in raw else {}
    if last not in raw:
        raise UserError(f"{source}: {name} cannot be overridden: the file has no such parameter")
    raw[last] = value


def _describe(problem: Any, raw: dict[str, Any], section: type[BaseModel]) -> tuple[str, str]:
    """A pydantic error as two parts of a message: the key with its value, and what is allowed."""
    location = problem["loc"]
    key = ".".join(" ".join(str(part)[:80].split()) for part in location)
    if problem["type"] == "missing":
        return key, " is missing"
    if problem["type"] == "extra_forbidden":
        return key, f" is not a parameter; allowed here are {', '.join(_fields_at(section, location[:-1]))}"
    if problem["type"] == "invalid_key":
        return key, ": is not text; a key that is a number or a word such as yes must be in quotes"
    if location[-1] == "[key]":
        rule = "must start with a lower-case letter and have only lower-case letters, digits and _, at most 60"
        return key.removesuffix(".[key]"), f": {rule}"
    keys: list[str] = []
    value: Any = raw
    for part in location:
        children = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
        if part not in children:
            break  # pydantic's name for a branch of a union
        value = value[part]
        keys.append(str(part))
    shown = repr(value) if len(repr(value)) <= 200 else f"{repr(value)[:200]}…"
    return f"{'.'.join(keys)} = {shown}: ", problem["msg"].removeprefix("Input ")


def _fields_at(section: Any, location: Sequence[Any]) -> list[str]:
    """The fields of the section at `location` in another section."""
    for part in location:
        if isinstance(section, type) and issubclass(section, BaseModel):
            section = section.model_fields[part].annotation
        else:  # dict[Name, Section]: `part` is a name
            section = section.__args__[1]
        if isinstance(section, UnionType):  # a section or null
            section = next(kind for kind in get_args(section) if hasattr(kind, "model_fields"))
    return list(section.model_fields)


def _contradictions(params: Params) -> list[str]:
    """Messages about values that are valid by themselves but cannot be combined."""
    problems = []
    assets = params.assets
    names = [*assets.fetched(), *assets.masked_lm]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(f"assets: {name!r} is defined more than once")
    references = {f"corpus.sources.{name}.asset": source.asset for name, source in params.corpus.sources.items()}
    references |= {f"tasks.{name}.asset": task.asset for name, task in params.tasks.items()}
    references |= {f"assets.masked_lm.{name}.encoder": lm.encoder for name, lm in assets.masked_lm.items()}
    references["teacher.asset"] = params.teacher.asset
    for name in sorted(set(params.teacher.tasks) - set(params.tasks)):
        problems.append(f"teacher.tasks.{name}: must be one of the tasks {', '.join(sorted(params.tasks))}")
    zero, precision = params.teacher.zero, params.teacher.precision
    if zero.stage == 0 and zero.offload:
        problems.append("teacher.zero.offload = true: must be false at stage 0, which partitions nothing")
    if zero.stage == 0 and precision == "fp16":
        problems.append("teacher.precision = 'fp16': needs teacher.zero.stage = 1, 2 or 3")
    trainable = ["teacher.asset", *(f"textbooks.augmented.{name}.masked_lm" for name in params.textbooks.augmented)]
    augmented = params.textbooks.augmented
    for name, book in augmented.items():
        key = f"textbooks.augmented.{name}"
        references |= {f"{key}.masked_lm": book.masked_lm, f"{key}.vectors": book.vectors}
        if name not in params.tasks:
            problems.append(f"{key}: must be one of the tasks {', '.join(sorted(params.tasks))}")
    missing = sorted(set(params.tasks) - set(augmented))
    if "augmented" in params.distill.textbook and missing:
        problems.append(f"distill.textbook = {params.distill.textbook!r}: needs textbooks.augmented.{missing[0]}")
    problems += _asset_contradictions(params, references)
    if (count := len(params.tasks)) > MOST_TASKS:
        problems.append(f"tasks: has {count} tasks; DVC, which checks all stages, takes at most {MOST_TASKS}")
    for name, task in params.tasks.items():
        problems += [f"tasks.{name}.{problem}" for problem in task_problems(task)]
    for key, asset in references.items():
        allowed = assets.names() if key in trainable else assets.fetched()
        if asset not in allowed:
            problems.append(f"{key} = {asset!r}: must be one of the assets {', '.join(allowed)}")
    longest, limit = max(params.evaluate.lengths), params.adapt.max_length
    if longest > limit:
        problems.append(f"evaluate.lengths = {params.evaluate.lengths}: must not exceed adapt.max_length = {limit}")
    if not params.corpus.sources:
        problems.append("corpus.sources: must name at least one source")
    for name in sorted(set(params.sweep.tasks) - set(params.tasks)):
        problems.append(f"sweep.tasks.{name}: must be one of the tasks {', '.join(sorted(params.tasks))}")
    task_overrides = {f"sweep.tasks.{name}": changes for name, changes in params.sweep.tasks.items()}
    for where, changes in {"sweep.set": params.sweep.set, **task_overrides}.items():
        for key in changes:
            if key.split(".")[0] not in ("distill", "adapt") or key.removeprefix("distill.") in AXES:
                problems.append(
                    f"{where}: {key!r} must be a parameter of distill or adapt other than {', '.join(AXES)}"
                )
    if problem := language_problem(params.corpus.language):
        problems.append(f"corpus.language = {params.corpus.language!r}: {problem}")
    low, high = params.corpus.min_words, params.corpus.max_words
    if low > high:
        problems.append(f"corpus.min_words = {low}: must not exceed corpus.max_words = {high}")
    shapes = {"student": params.student}
    shapes |= {f"sweep.students.{name}": shape for name, shape in params.sweep.students.items()}
    for key, shape in shapes.items():
        problems += shape_problems(key, shape, params.distill.relation_heads)
    if params.sweep.students and params.sweep.inits != ["random"]:
        problems.append(
            f"sweep.inits = {params.sweep.inits}: must be ['random'] with sweep.students, because a general student is"
            " made for the shape of `student` only"
        )
    axes = ("inits", "teachers", "textbooks", "top_percents", "seeds")
    lists = {f"sweep.{axis}": getattr(params.sweep, axis) for axis in axes}
    problems += repetition_problems({**lists, "adapt.seeds": params.adapt.seeds})
    return problems + snapshot_problems(params.distill)


def shape_problems(key: str, shape: Student, relation_heads: int) -> list[str]:
    """Messages about a shape that a student cannot have.

    Args:
        key: the dotted name of the shape.
    """
    problems = []
    if shape.hidden % shape.heads:
        problems.append(f"{key}.hidden = {shape.hidden}: must be a multiple of {key}.heads = {shape.heads}")
    if shape.hidden % relation_heads:
        problems.append(f"distill.relation_heads = {relation_heads}: must divide {key}.hidden = {shape.hidden}")
    return problems


def snapshot_problems(distill: Distill) -> list[str]:
    """Messages about snapshots that cannot be."""
    late = [step for step in distill.snapshots if step > distill.steps]
    problems = [f"distill.snapshots = {late[0]}: must not exceed distill.steps = {distill.steps}"] if late else []
    return problems + repetition_problems({"distill.snapshots": distill.snapshots})


def repetition_problems(lists: Mapping[str, Sequence[Any]]) -> list[str]:
    """Messages about lists, given by their dotted names, that have a value twice."""
    repeating = [key for key, values in lists.items() if len(set(values)) < len(values)]
    return [f"{key} = {lists[key]}: must name each value once" for key in repeating]


def _asset_contradictions(params: Params, references: Mapping[str, str]) -> list[str]:
    """What is wrong with assets.

    Args:
        references: the name of an asset by the key that names it.
    """
    problems = []
    paths = {f"assets.path.{name}.path": asset.path for name, asset in params.assets.path.items()}
    for name, asset in params.assets.dataset.items():
        key = f"assets.dataset.{name}"
        if asset.revision is None:
            paths[f"{key}.name"] = asset.name
        elif not re.fullmatch(r"[\w.-]+/[\w.-]+", asset.name):
            problems.append(f"{key}.name = {asset.name!r}: must be owner/name with a revision, or a folder without one")
        if asset.splits and len(set(asset.splits)) < len(asset.splits):
            problems.append(f"{key}.splits = {asset.splits}: must name each split once")
        for other in (other for other, used in references.items() if asset.stream and used == name):
            if not other.startswith("corpus."):
                problems.append(f"{other} = {name!r}: must not be streamed; only a source of the corpus can be")
        for source, settings in params.corpus.sources.items():
            if asset.stream and settings.asset == name and settings.files != "*":
                problems.append(
                    f"corpus.sources.{source}.files = {settings.files!r}: must be left out, because {key}"
                    " is streamed; it has splits"
                )
    for name in params.assets.url:
        for other in (other for other, used in references.items() if used == name and not other.startswith("corpus.")):
            problems.append(f"{other} = {name!r}: must not be at a URL; only a source of the corpus can be")
    for key, path in paths.items():
        if path.startswith("~"):  # DVC, which watches the path for changes, does not expand it
            problems.append(f"{key} = {path!r}: `~` is not expanded; write {os.path.expanduser(path)!r}")
    return problems


def task_problems(task: Task) -> list[str]:
    """Messages about values of a task that are valid by themselves but cannot be combined."""
    problems = []
    if task.labels and task.scale:
        problems.append("labels: set either `labels` (the classes) or `scale` (the lowest and highest value)")
    if task.labels and len(set(task.labels)) < len(task.labels):
        problems.append(f"labels = {task.labels}: must name each class once")
    if task.scale and task.scale[0] >= task.scale[1]:
        problems.append(f"scale = {task.scale}: must be the lowest and the highest value, in this order")
    columns = [*task.text, task.label]
    if len(set(columns)) < len(columns):
        problems.append(f"text = {task.text}: must be columns other than each other and than label = {task.label!r}")
    allowed = get_args(NumberMetric if task.scale else ClassMetric)
    if wrong := [metric for metric in task.metrics if metric not in allowed]:
        problems.append(f"metrics = {task.metrics}: {wrong[0]!r} is not one of {', '.join(allowed)}")
    if "f1" in task.metrics and task.labels and len(task.labels) > 2:
        problems.append(f"metrics = {task.metrics}: 'f1' needs two classes; for {len(task.outputs)} use 'macro_f1'")
    if len(set(task.metrics)) < len(task.metrics):
        problems.append(f"metrics = {task.metrics}: must name each metric once")
    if len({"train", *task.validation}) <= len(task.validation):
        problems.append(f"validation = {task.validation}: must name splits other than 'train', each once")
    if task.test == "train" or (task.holdout is None and task.test in task.validation):
        problems.append(f"test = {task.test!r}: must be another split than those for training and validation")
    if task.holdout is not None and len(task.validation) > 1:
        problems.append(
            f"holdout = {task.holdout}: gives one validation split, but validation names {', '.join(task.validation)}"
        )
    return problems
