"""What `dvc.yaml` declares is what the stages read: otherwise DVC would keep what is out of date."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from textbook.params import Params

ROOT = Path(__file__).parents[2]


def read_stages():
    found = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    return {name: {**stage, **stage.get("do", {})} for name, stage in found.items()}


STAGES = read_stages()


def module_of(stage):
    return ROOT / (stage["cmd"].split()[2].replace(".", "/") + ".py")


def sections_read(module: Path) -> set[str]:
    """The sections of the parameters that a stage's module reads: what follows `params.`"""
    attributes = [node for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Attribute)]
    names = {node.attr for node in attributes if isinstance(node.value, ast.Name) and node.value.id == "params"}
    if "model_dump" in names:  # reads all that matter to it
        names = set(Params.model_fields) - {"assets", "sweep"}
    return {"tasks" if name == "task" else name for name in names}


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_its_own_code_and_on_files_that_exist(name):
    stage = STAGES[name]
    assert module_of(stage).is_file()
    code = [path for path in stage["deps"] if path.startswith(("src/", "pipelines/", "tracking/")) and "$" not in path]
    assert code
    for path in code:
        assert (ROOT / path).exists(), path


def test_every_section_that_a_stage_reads_is_declared():
    declared = defaultdict(set)
    for stage in STAGES.values():
        declared[module_of(stage)] |= {key.split(".")[0] for key in stage.get("params", [])}
    for module, sections in declared.items():
        assert sections_read(module) <= sections, module.name


def test_every_declared_parameter_exists():
    for name, stage in STAGES.items():
        for key in stage.get("params", []):
            fields = Params.model_fields
            for part in key.split("."):
                if "$" in part or part not in fields:
                    assert "$" in part or not fields, f"{name}: {key}"
                    break
                fields = getattr(fields[part].annotation, "model_fields", {})


def test_all_roots_wait_for_the_check_of_the_parameters():
    outs = [out for stage in STAGES.values() for out in stage.get("outs", [])]
    made = {out if isinstance(out, str) else next(iter(out)) for out in outs}
    for name, stage in STAGES.items():
        if name != "params":
            waits = "data/params.ok" in stage["deps"]
            from_stage = any(dep in made or dep.startswith("data/") for dep in stage["deps"])
            assert waits or from_stage, name
