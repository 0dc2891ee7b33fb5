"""The inputs of a cell are checked on disk."""

import os
from pathlib import Path

import pytest
from dvc_data.hashfile.build import build
from dvc_data.hashfile.db.local import LocalHashFileDB
from dvc_objects.fs.local import LocalFileSystem
from ruamel.yaml import YAML

from pipelines.sweep.plan import artefacts, cell_folder
from pipelines.sweep.verify import check_inputs, dvc_md5
from textbook.cells.cell import Cell
from textbook.errors import UserError
from textbook.params_file import load_params

ROOT = Path(__file__).parents[3]
CELL = Cell("rotten_tomatoes", "random", "general", "contextualized", 0)
PARAMS = load_params(ROOT / "params.yaml")
TEACHER = Path("data/models/rotten_tomatoes/teacher")
AGAIN = r"changed while the sweep was running; run `make sweep` again"


def lock(*paths):
    outs = [{"path": path, "md5": dvc_md5(Path(path))} for path in paths]
    YAML().dump({"stages": {"all": {"outs": outs}}}, Path("dvc.lock"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of the cell, in a project with all its inputs."""
    monkeypatch.chdir(tmp_path)
    for path in map(Path, artefacts(PARAMS, CELL)):
        files = [path] if path.suffix else [path / "a.json", path / "deep" / "b.bin"]
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{file}\r\n")
    lock(*artefacts(PARAMS, CELL))
    return cell_folder(PARAMS, CELL)


@pytest.mark.parametrize("files", [{"x": b""}, {"ä": b"a\r\n", "b/c": b"\0", "b.c": b"1", ".h": b""}, {}])
def test_the_hashes_are_those_of_dvc(tmp_path, files):
    top = tmp_path / "top"
    top.mkdir()
    for name, content in files.items():
        (top / name).parent.mkdir(exist_ok=True)
        (top / name).write_bytes(content)
    system = LocalFileSystem()
    store = LocalHashFileDB(system, str(tmp_path / "store"))
    for path in (top, *(file for file in top.rglob("*") if file.is_file())):
        *_, tree = build(store, str(path), system, "md5")
        assert dvc_md5(path) == tree.hash_info.value
    assert dvc_md5(tmp_path / "missing") is None


def test_unchanged_inputs_pass_and_are_hashed_once(folder, monkeypatch):
    check_inputs(PARAMS, CELL, folder)
    opened = []
    original = Path.open
    monkeypatch.setattr(Path, "open", lambda path, *rest, **more: opened.append(path) or original(path, *rest, **more))
    check_inputs(PARAMS, CELL, folder)
    assert [path for path in opened if "data" in path.parts] == []


def rewrite_in_place():
    file = TEACHER / "deep" / "b.bin"
    before = file.stat()
    file.write_text(file.read_text().replace("b", "c"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))  # of the same size, a moment later


@pytest.mark.parametrize(
    "change",
    [
        rewrite_in_place,
        lambda: (TEACHER / "deep" / "b.bin").unlink(),
        lambda: (TEACHER / "new").touch(),
        lambda: TEACHER.rename("moved"),
        lambda: Path("dvc.lock").unlink(),
    ],
)
def test_a_changed_input_is_named(folder, change):
    check_inputs(PARAMS, CELL, folder)
    change()
    with pytest.raises(UserError, match=f"^{CELL}: its input data/.* {AGAIN}$"):
        check_inputs(PARAMS, CELL, folder)


def test_after_dvc_repro_has_made_other_inputs_the_cell_fails(folder):
    rewrite_in_place()
    lock(*artefacts(PARAMS, CELL))
    with pytest.raises(UserError, match=rf"its inputs in dvc\.lock, or its code, {AGAIN}$"):
        check_inputs(PARAMS, CELL, folder)
    check_inputs(PARAMS, CELL, cell_folder(PARAMS, CELL))
