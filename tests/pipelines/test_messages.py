"""Errors that the user can fix are one line; a bug has none."""

import errno
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.messages import LIBRARY_ERRORS, TRACEBACK, user_message
from textbook.errors import UserError
from textbook.files import read_json

ROOT = Path(__file__).parents[2]
WRITERS = """
import resource, shutil, sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from tokenizers import Tokenizer, models

from pipelines.messages import user_message
from textbook.files import write_json
from textbook.retrieval.whoosh import build_whoosh
from textbook.training.engine.token_file import Column

Path("source").mkdir()
Path("source/large").write_bytes(bytes(100_000))
Path("index").mkdir()
vocabulary = {str(number): number for number in range(5_000)}
writers = {
    "bytes": lambda: Path("bytes").write_bytes(bytes(100_000)),
    "json": lambda: write_json(Path("json"), vocabulary),
    "tokens": lambda: Column(Path("tokens"), np.dtype(float)).append(np.zeros(100_000)),
    "array": lambda: np.save("array.npy", np.zeros(100_000)),
    "table": lambda: pq.write_table(pa.table({"a": np.random.rand(100_000)}), "table.parquet"),
    "copied": lambda: shutil.copytree("source", "copied"),
    "torch": lambda: torch.save(torch.zeros(100_000), "weights.pt"),
    "tokenizer": lambda: Tokenizer(models.WordLevel(vocabulary, unk_token="0")).save("tokenizer.json"),
    "index": lambda: build_whoosh([map(str, range(100))], Path("index")),
}
sys.dont_write_bytecode = True  # Python would keep a file that is cut off
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, resource.RLIM_INFINITY))  # as a full disk does
for name, write in writers.items():
    try:
        write()
        print(name, "did not fail")
    except Exception as error:
        print(name, repr(user_message(error)))
"""
LATIN = """
from pipelines.cli import run

def main() -> None:
    print("films · random: accuracy 80.0 ± 0.5 für \\udcff ✓")

run(main)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def python(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{ROOT / 'src'}{os.pathsep}{ROOT}"
    command = [sys.executable, "-c", script]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONPATH": path, **environment},
        timeout=120,
    )


def test_every_library_says_on_one_line_that_the_disk_is_full() -> None:
    process = python(WRITERS)
    lines = process.stdout.splitlines()
    assert len(lines) == 9, process.stderr
    for line in lines:
        assert "; free some disk space and run it again: finished work is kept" in line
        assert "\\n" not in line


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_also_seen_in_the_cause_of_an_error(code: int) -> None:
    error = RuntimeError("cannot save")
    error.__cause__ = OSError(code, os.strerror(code))
    assert str(user_message(error)).startswith("cannot save; free some disk space")
    refused = UserError(f"model 'films': its files cannot be downloaded ([Errno {code}] {os.strerror(code)})")
    assert "free some disk space" in str(user_message(refused))


def raised(work) -> Exception:
    try:
        work()
    except Exception as error:
        return error
    raise AssertionError("did not fail")


def read_only() -> None:
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "data/models/films")


@pytest.mark.parametrize(
    ("work", "line"),
    [
        (read_only, "data/models/films: Permission denied"),
        (lambda: Path("data/x.json").read_text(), "data/x.json: No such file or directory; run `dvc repro` first"),
        (lambda: Path("mine.csv").read_text(), "mine.csv: No such file or directory"),
        (lambda: Path().read_text(), ".: Is a directory"),
        (lambda: Path("a").rename("b"), "a -> b: No such file or directory"),
        (lambda: pq.read_table("data/gone.parquet"), "data/gone.parquet: no such file"),
        (lambda: pq.read_table("damaged.parquet"), "a table cannot be read or written: "),
        (lambda: read_json(Path("damaged.parquet")), "damaged.parquet: is not valid JSON: "),
        (lambda: Path("latin.txt").read_text("utf-8"), "a file is not UTF-8: "),
        (lambda: pa.array(["a"]).cast(pa.int64()), "a table cannot be read or written: Failed to parse string: 'a'"),
        (lambda: subprocess.run([sys.executable, "-c", "1/0"], check=True, stderr=-1), "another program failed: "),
    ],
)
def test_errors_of_files_and_libraries_are_one_line_and_the_traceback_is_kept(work, line: str) -> None:
    Path("damaged.parquet").write_bytes(b"not a table")
    Path("latin.txt").write_bytes("für".encode("latin-1"))
    error = raised(work)
    message = user_message(error)
    assert message is not None
    assert message.startswith(line)
    assert len(message.splitlines()) == 1
    if not isinstance(error, UserError):
        assert message.endswith(f" (traceback: {TRACEBACK})")
        assert type(error).__name__ in TRACEBACK.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", [KeyError, ValueError, TypeError, AttributeError, AssertionError, RuntimeError])
def test_a_bug_keeps_its_traceback(kind: type[Exception]) -> None:
    assert user_message(kind("a bug")) is None


@pytest.mark.parametrize("name", LIBRARY_ERRORS)
def test_the_errors_of_libraries_have_the_names_that_are_listed(name: str) -> None:
    module, _, kind = name.rpartition(".")
    error = getattr(importlib.import_module(module), kind)
    assert issubclass(error, Exception)
    assert f"{error.__module__}.{error.__qualname__}" == name


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_characters_that_the_terminal_lacks_are_replaced(encoding: str) -> None:
    process = python(LATIN, PYTHONIOENCODING=encoding)
    assert (process.returncode, process.stderr) == (0, "")
    assert "accuracy 80.0" in process.stdout
    assert "?" in process.stdout
