"""The import closure of a module, and its hash."""

from pathlib import Path

import pytest

from pipelines import code
from pipelines.code import hash_code, source_files


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project in which `pipelines.stages.a` imports modules in every way, and a function that writes a module."""
    monkeypatch.setattr(code, "PROJECT", tmp_path)
    source_files.cache_clear()
    hash_code.cache_clear()

    def write(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
        source_files.cache_clear()
        hash_code.cache_clear()

    write("pipelines/stages/a.py", "import numpy\nfrom textbook import b\nfrom textbook.files import remove\n")
    write("src/textbook/b.py", "def f():\n    import textbook.rooms.c\n    from textbook.rooms.d import name\n")
    write("src/textbook/rooms/__init__.py", '"""Rooms."""\n')
    write("src/textbook/rooms/c.py", "if TYPE_CHECKING:\n    from textbook import e\n")
    write("src/textbook/rooms/d.py", "from pipelines.stages import a\nname = 1\n")
    write("src/textbook/e.py", "")
    write("src/textbook/files.py", "from textbook import e\n")
    yield write
    source_files.cache_clear()
    hash_code.cache_clear()


def test_the_closure_has_the_modules_that_are_imported_at_run_time_and_decide(project):
    names = ["pipelines/stages/a.py", "src/textbook/b.py", "src/textbook/rooms/c.py", "src/textbook/rooms/d.py"]
    assert source_files("pipelines.stages.a") == tuple(map(Path, names))


def test_the_hash_changes_with_the_files_of_the_closure_only(project):
    before = hash_code("pipelines.stages.a")
    project("src/textbook/e.py", "changed = True\n")
    project("src/textbook/files.py", "def remove(): ...\n")
    assert hash_code("pipelines.stages.a") == before
    project("src/textbook/rooms/d.py", "from pipelines.stages import a\nname = 2\n")
    assert hash_code("pipelines.stages.a") != before


def test_a_cell_is_keyed_by_all_code_that_makes_and_measures_it():
    files = set(map(str, source_files("pipelines.sweep.cohort")))
    assert {
        "pipelines/distillation.py",
        "pipelines/sweep/cohort.py",
        "src/textbook/adaptation/adapt.py",
        "src/textbook/evaluation/relation_loss.py",
        "src/textbook/training/distillation/relations.py",
        "src/textbook/training/finetuning/finetune.py",
    } <= files
