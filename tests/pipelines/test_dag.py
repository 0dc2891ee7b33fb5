"""`dvc.yaml` declares everything that the stages read. Otherwise DVC would keep stale outputs."""

import ast
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from pipelines.code import DOES_NOT_DECIDE, PACKAGES, source_files
from textbook.params import NearDuplicates, Params

ROOT = Path(__file__).parents[2]
CODE = ("src/", "pipelines/", "tracking/")
# The stage that checks the parameters depends on their schema. No other stage does.
ALSO_NEEDED = {"params": {Path("src/textbook/params.py"), Path("src/textbook/params_file.py")}}
# Data of the reporting package, which is under `src` but is not imported.
DATA = {"src/textbook/reporting/paper"}
# Fields that a stage doesn't read, although it gets the whole section.
NOT_READ = {
    "init_general": {
        "distill.init": "the stage makes the init",
        "distill.teacher": "the teacher is always the general one",
        "distill.textbook": "the textbook is a sample of the corpus",
        "distill.top_percent": "the whole sample is used",
        "distill.steps": "replaced by general_init.steps",
        "distill.snapshots": "the stage keeps none",
        "distill.second.epochs": "the stage has no second stage of distillation",
        "distill.second.lr": "the stage has no second stage of distillation",
        "distill.second.warmup": "the stage has no second stage of distillation",
        "distill.cuda_graphs": "affects only the speed",
        "distill.deterministic": "affects only the last bits, on a GPU",
        "distill.shard_teacher": "affects only where the teacher runs",
    },
    "sentences": {
        f"corpus.near_duplicates.{name}": "sentences are compared when the sources are merged"
        for name in NearDuplicates.model_fields
    },
}
Stage = dict[str, Any]


def read_stages() -> dict[str, Stage]:
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    return {name: {**stage, **stage.get("do", {})} for name, stage in stages.items()}


STAGES = read_stages()


def module_of(stage: Stage) -> str:
    return stage["cmd"].split()[2]


def is_covered(path: Path, deps: list[str]) -> bool:
    """Whether a file, or a folder that contains it, is among the dependencies."""
    return any(str(parent) in deps for parent in (path, *path.parents))


def uncovered_code(name: str, stage: Stage) -> set[Path]:
    """The source files that a stage depends on, but does not declare."""
    needed = {*source_files(module_of(stage)), *ALSO_NEEDED.get(name, ())}
    return {path for path in needed if not is_covered(path, stage["deps"])}


def expectations_read(stage: Stage) -> set[str]:
    """The suites of expectations that a stage's modules use, as `EXPECTATIONS / "…"`."""
    suites = set()
    for path in source_files(module_of(stage)):
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.BinOp) and isinstance(node.left, ast.Name) and node.left.id == "EXPECTATIONS":
                suites.add(f"pipelines/expectations/{ast.literal_eval(node.right)}")
    return suites


def uncovered_suites(stage: Stage) -> set[str]:
    return {suite for suite in expectations_read(stage) if not is_covered(Path(suite), stage["deps"])}


@pytest.mark.parametrize("name", STAGES)
def test_the_code_that_decides_is_declared(name):
    assert uncovered_code(name, STAGES[name]) == set()
    assert uncovered_suites(STAGES[name]) == set()


@pytest.mark.parametrize("name", STAGES)
def test_a_missing_dependency_on_code_is_noticed(name):
    """Check the test above: if any one dependency on code is removed, a stage does not pass."""
    stage = STAGES[name]
    code = [dep for dep in stage["deps"] if dep.startswith(CODE) and dep not in DATA]
    assert code
    for dep in code:
        without = {**stage, "deps": [other for other in stage["deps"] if other != dep]}
        assert uncovered_code(name, without) or uncovered_suites(without), f"{dep} is not needed"


@pytest.mark.parametrize("name", STAGES)
def test_every_declared_file_of_the_project_exists(name):
    for dep in STAGES[name]["deps"]:
        if dep.startswith(CODE):
            assert (ROOT / dep).exists(), dep


def test_the_modules_that_do_not_decide_exist_and_have_a_reason():
    for module, reason in DOES_NOT_DECIDE.items():
        assert (ROOT / PACKAGES[module.partition(".")[0]] / f"{module.replace('.', '/')}.py").is_file(), module
        assert reason


def test_packages_only_describe_what_is_in_them():
    """Closures leave out the `__init__.py` of packages, so these may only define `__getattr__`, which re-exports."""
    for package in PACKAGES:
        for path in (ROOT / PACKAGES[package] / package).rglob("__init__.py"):
            body = ast.parse(path.read_text()).body
            defined = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
            assert defined <= {"__getattr__"}, path


def chains_read(path: Path) -> set[str]:
    """The dotted names of the parameters that a module reads, as in `params.a.b`; `params.task(name)` reads `tasks`."""
    tree = ast.parse((ROOT / path).read_text())
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    chains = set()
    for node in ast.walk(tree):
        names = []
        while isinstance(node, ast.Attribute) and (names or id(node) not in inner):
            names.append(node.attr)
            node = node.value
        if names and isinstance(node, ast.Name) and node.id == "params":
            chains.add(".".join(reversed(names)))
    return {chain for name in chains for chain in resolved(name)}


def resolved(chain: str) -> list[str]:
    """The parameters that a chain of attributes reads. Methods and accesses inside a mapping are cut off."""
    if chain == "task":
        return ["tasks"]
    if chain == "model_dump":  # the record of a run has all sections except these
        return [name for name in Params.model_fields if name not in ("assets", "tasks", "sweep")]
    parts, section = [], Params
    for name in chain.split("."):
        fields = getattr(section, "model_fields", {})
        if name not in fields:
            break
        parts.append(name)
        section = fields[name].annotation
    return [".".join(parts)] if parts else []


def annotation_of(chain: str) -> Any:
    section: Any = Params
    for name in chain.split("."):
        kinds = get_args(section) if isinstance(section, UnionType) else (section,)  # a section, or a section or null
        section = next(kind for kind in kinds if hasattr(kind, "model_fields")).model_fields[name].annotation
    return section


def undeclared(chain: str, declared: list[str]) -> set[str]:
    """The parts of a parameter that a stage does not declare. Of a mapping, the entry of the stage's item is enough."""
    parts = chain.split(".")
    if any(".".join(parts[:end]) in declared for end in range(1, len(parts) + 1)):
        return set()
    kind = annotation_of(chain)
    if f"{chain}.${{key}}" in declared and get_origin(kind) is dict:
        return set()
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    for section in kinds:
        if isinstance(section, type) and issubclass(section, BaseModel):
            return {part for name in section.model_fields for part in undeclared(f"{chain}.{name}", declared)}
    return {chain}


@pytest.mark.parametrize("name", STAGES)
def test_the_parameters_that_a_stage_reads_are_declared(name):
    stage = STAGES[name]
    declared = stage.get("params", [])
    if module_of(stage) == "pipelines.stages.asset":  # reads the one asset of its kind
        assert declared == [f"assets.{name}.${{key}}"]
        return
    chains = {chain for path in source_files(module_of(stage)) for chain in chains_read(path)}
    missing = {part for chain in chains for part in undeclared(chain, declared)} - set(NOT_READ.get(name, {}))
    assert missing == set()


def test_a_missing_parameter_is_noticed():
    """Check the test above, for stages that read a section, a field of a section, and an entry of a mapping."""
    for name, key in (("index", "index"), ("evaluate", "adapt.max_length"), ("task", "tasks.${key}")):
        stage = STAGES[name]
        declared = [other for other in stage["params"] if other != key]
        chains = {chain for path in source_files(module_of(stage)) for chain in chains_read(path)}
        assert {part for chain in chains for part in undeclared(chain, declared)}, key


def test_every_declared_parameter_exists():
    for name, stage in STAGES.items():
        for key in stage.get("params", []):
            fields = Params.model_fields
            for part in key.split("."):
                if "$" in part or part not in fields:
                    assert "$" in part or not fields, f"{name}: {key}"
                    break
                fields = getattr(fields[part].annotation, "model_fields", {})


def test_all_root_stages_depend_on_the_check_of_the_parameters():
    outs = [out for stage in STAGES.values() for out in stage.get("outs", [])]
    made = {out if isinstance(out, str) else next(iter(out)) for out in outs}
    for name, stage in STAGES.items():
        if name != "params":
            checked = "data/params.ok" in stage["deps"]
            has_stage_before = any(dep in made or dep.startswith("data/") for dep in stage["deps"])
            assert checked or has_stage_before, name


def test_stages_do_not_import_each_other():
    importers = defaultdict(set)
    for stage in STAGES.values():
        own = Path(f"{module_of(stage).replace('.', '/')}.py")
        for path in source_files(module_of(stage)):
            if path.parent == own.parent and path != own:
                importers[own].add(path)
    assert importers == {}


@pytest.mark.parametrize("name", STAGES)
def test_no_command_has_a_value_of_the_parameters_in_it(name):
    """The shell would run what is in it, before anything has checked `params.yaml`."""
    assert "${" not in STAGES[name]["cmd"]
    assert ("@" in STAGES[name]["cmd"].split()) == ("foreach" in STAGES[name])


def test_a_hostile_name_runs_no_shell(tmp_path):
    names = ["a; touch ran", "'$(touch ran)", "a\ntouch ran\n"]
    for folder in ("src/textbook", "pipelines"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    (wheel, *_) = params["assets"]["wheel"].values()
    params["assets"]["wheel"] = dict.fromkeys(names, wheel)
    YAML(typ="safe").dump(params, tmp_path / "params.yaml")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "params.ok").touch()
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": "src"}
    for command in (["init", "--no-scm"], ["repro", "--single-item", "--keep-going", *(f"wheel@{n}" for n in names)]):
        done = subprocess.run(["dvc", *command], cwd=tmp_path, env=environment, capture_output=True, text=True)
    for name in names:
        assert f"Running stage 'wheel@{name}'" in done.stdout
    assert done.stderr.count("error: params.yaml: assets.wheel") == len(names), done.stderr
    assert not (tmp_path / "ran").exists()
