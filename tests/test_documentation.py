"""What README and the documentation tell a user to type is right: commands, parameters, code, links and figures."""

import importlib.util
import re
import shutil
import subprocess
import sys
from itertools import chain, takewhile
from pathlib import Path

import pytest
from dvc.cli.parser import get_main_parser
from ruamel.yaml import YAML
from toy_markdown import ALL_PAGES, PAGES, ROOT, blocks, commands, inline_code, links

from benchmarks.front import draw
from pipelines.docs.parameters_page import parameters_page
from textbook.files import read_json
from textbook.params import Params
from textbook.profiles import render_profile
from textbook.reporting.front import smallest_close
from textbook.reporting.table import comparison

YAML_BLOCKS = [(page.name, block) for page in PAGES for block in blocks(page, "yaml")]
PYTHON_BLOCKS = [(page.name, block) for page in PAGES for block in blocks(page, "python")]
SHELL_BLOCKS = [(page.name, block) for page in ALL_PAGES for block in blocks(page, "sh")]
COMMANDS = sorted({tuple(words) for page in ALL_PAGES for words in commands(page)})


def of(program: str) -> list[tuple[str, ...]]:
    return [words for words in COMMANDS if words[0] == program]


def test_there_is_something_to_check() -> None:
    assert len(YAML_BLOCKS) > 10
    assert len(PYTHON_BLOCKS) >= 2
    assert len(SHELL_BLOCKS) > 10
    assert min(len(of(program)) for program in ("make", "dvc", "python")) > 5


@pytest.mark.parametrize(("page", "block"), YAML_BLOCKS)
def test_a_block_of_parameters_is_a_valid_profile(page: str, block: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "profiles", tmp_path, dirs_exist_ok=True)
    base = "" if re.search(r"^base:", block, re.MULTILINE) else "base: default\n"
    (tmp_path / "block.yaml").write_text(base + block)
    assert "# Profile block" in render_profile("block", tmp_path)


@pytest.mark.parametrize(("page", "block"), PYTHON_BLOCKS)
def test_a_block_of_python_compiles(page: str, block: str) -> None:
    compile(block, page, "exec")


@pytest.mark.parametrize(("page", "block"), SHELL_BLOCKS)
def test_a_block_of_commands_is_valid_shell(page: str, block: str) -> None:
    subprocess.run(["bash", "-n", "-c", block], check=True)


def test_targets_and_variables_of_make_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    for _, *words in of("make"):
        names = [word for word in words if "=" not in word]
        assert set(names) <= targets, words
        if names:
            variables = [word.partition("=")[0] for word in words if "=" in word]
            assert all(re.search(rf"\b{name}\b", makefile) for name in variables), words


@pytest.mark.parametrize("words", of("make"))
def test_make_can_run_a_command(words: tuple[str, ...]) -> None:
    command = ["make", "--dry-run", f"--old-file={sys.prefix}/.ready", f"VENV={sys.prefix}", *words[1:]]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def test_commands_of_dvc_and_their_stages_exist() -> None:
    stages = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")["stages"]
    parser = get_main_parser()
    for words in of("dvc"):
        if words[1] != "remote":  # of the user's own store
            arguments = parser.parse_args(list(words[1:]))
            for target in getattr(arguments, "targets", None) or []:
                assert target.partition("@")[0] in stages, words


def test_python_modules_exist() -> None:
    for words in of("python"):
        module = words[words.index("-m") + 1]
        assert importlib.util.find_spec(module), words


def test_parameters_that_are_named_exist() -> None:
    shipped = YAML(typ="safe", pure=True).load(ROOT / "profiles" / "default.yaml")
    names = re.findall(r"^`(\S+)`\{", parameters_page(shipped), re.MULTILINE)
    patterns = [re.sub("‹name›", r"[^.]+", re.escape(name)) for name in names]
    codes = chain.from_iterable(map(inline_code, [*PAGES, ROOT / "docs" / "errors.yaml"]))
    keys = {match[0] for code in codes if (match := re.match(r"[a-z_]+(\.[a-z_‹›<>]+)+(?=$| =|: )", code))}
    keys = {key for key in keys if key.partition(".")[0] in Params.model_fields}
    assert len(keys) > 40
    known = re.compile("|".join(rf"{pattern}($|\.)" for pattern in patterns))
    sections = {name.rpartition(".")[0] for name in names}
    assert {key for key in keys if not known.match(key)} <= sections


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    missing = [link for link in links(page) if not (page.parent / link).exists()]
    assert missing == []


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_the_figure_of_readme_is_that_of_the_shipped_metrics() -> None:
    assert (ROOT / "docs" / "front.svg").read_text() == draw(ROOT / "reports" / "metrics.json")


def test_what_readme_says_of_the_smallest_model_is_so() -> None:
    figures = read_json(ROOT / "reports" / "metrics.json")["rotten_tomatoes"]
    assert "int8 ONNX" in smallest_close(figures, "accuracy")
    for cost, ratio in (("bytes", 12), ("ms_per_sentence", 14)):
        assert round(figures["teacher"][cost] / figures["onnx"][cost]) == ratio
    assert "a twelfth of its size and a fourteenth of its time" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md"])
def test_the_table_of_models_is_that_of_the_shipped_metrics(page: str) -> None:
    figures = read_json(ROOT / "reports" / "metrics.json")["rotten_tomatoes"]
    rows = [set(row) for row in comparison(figures, "accuracy")]
    cells = [[cell.strip("* ") for cell in line.split("|")[1:-1]] for line in (ROOT / page).read_text().splitlines()]
    start = next(number for number, line in enumerate(cells) if line[:2] == ["model", "accuracy"]) + 2
    table = list(takewhile(len, cells[start:]))
    assert len(table) >= 7
    assert [line for line in table if not any({*line[1:]} - {""} <= row for row in rows)] == []
