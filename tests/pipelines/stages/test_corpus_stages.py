"""The stages of the corpus: kills, a full disk, and files that are not text."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from textbook.assets.fetch import fetch
from textbook.corpus.shards import corpus_hash, corpus_size, read_shards
from textbook.files import hash_folder
from textbook.params import PathAsset

ROOT = Path(__file__).parents[3]
LINES = 6_000  # per file


class Project:
    """A folder with the inputs of the stages: parameters, expectations, and a folder of text as an asset."""

    def __init__(self, folder: Path, files: int = 8) -> None:
        self.folder = folder
        self.text = folder / "text"
        self.text.mkdir(parents=True)
        shutil.copytree(ROOT / "pipelines" / "expectations", folder / "pipelines" / "expectations")
        for number in range(files):
            lines = (f"Sentence {line} of the file {number % 7} is here.\n" for line in range(LINES))
            (self.text / f"{number}.txt").write_text("".join(lines))
        self.change()

    def change(self, **source: Any) -> None:
        """Set the source's options, and fetch its asset."""
        params = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
        params["assets"]["path"] = {"web": {"path": str(self.text)}}
        params["corpus"]["sources"] = {"web": {"asset": "web", **source}}
        YAML(typ="safe", pure=True).dump(params, self.folder / "params.yaml")
        fetch(PathAsset(path=str(self.text)), self.folder / "data" / "assets" / "web")

    def start(self, *stage: str, **limits: Any) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "TQDM_DISABLE": "1"}
        environment["PYTHONDONTWRITEBYTECODE"] = (
            "1"  # with a limit on their size, Python would keep files that are cut off
        )
        command = [sys.executable, "-m", f"pipelines.stages.{stage[0]}", *stage[1:]]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=self.folder, env=environment, **pipes, **limits)

    def run(self, *stage: str, **limits: Any) -> tuple[int, str, str]:
        process = self.start(*stage, **limits)
        out, err = process.communicate()
        return process.returncode, out, err

    def outputs(self) -> list[str]:
        """The outputs that exist."""
        outputs = [*(self.folder / "data").glob("sentences/*"), *(self.folder / "data").glob("corpus*")]
        return sorted(str(path.relative_to(self.folder)) for path in outputs)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which both stages have run undisturbed."""
    project = Project(tmp_path_factory.mktemp("whole") / "project")
    for stage in (("sentences", "web"), ("corpus",)):
        code, _, err = project.run(*stage)
        assert code == 0, err
    return project


def test_the_corpus_has_each_sentence_once_in_input_order_and_leaves_no_work(whole: Project) -> None:
    corpus = whole.folder / "data" / "corpus"
    sentences = list(chain.from_iterable(read_shards(corpus)))
    expected = [f"Sentence {line} of the file {number} is here." for number in range(7) for line in range(LINES)]
    assert sentences == expected
    assert corpus_size(corpus) == len(expected)
    assert pq.read_table(corpus / "00000.parquet")["source"].unique().to_pylist() == ["web"]
    assert [path for path in (whole.folder / ".cache").rglob("*") if path.is_file()] == []


def full_disk() -> None:
    """Limit the size of the files that this process writes, as a full disk does."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, resource.RLIM_INFINITY))


@pytest.mark.parametrize("stage", [("sentences", "web"), ("corpus",)])
def test_a_full_disk_is_one_line_and_leaves_no_partial_output(
    project: Project, whole: Project, stage: tuple[str, ...]
) -> None:
    if stage == ("corpus",):
        assert project.run("sentences", "web")[0] == 0
    before = project.outputs()
    code, _, err = project.run(*stage, preexec_fn=full_disk)
    assert code == 1
    assert len(err.splitlines()) == 1, err
    assert err.startswith("error: ")
    assert "free some disk space and run it again" in err
    assert project.outputs() == before
    for remaining in (("sentences", "web"), ("corpus",))[stage == ("corpus",) :]:
        assert project.run(*remaining)[0] == 0
    assert corpus_hash(project.folder / "data" / "corpus") == corpus_hash(whole.folder / "data" / "corpus")


@pytest.mark.slow
def test_after_kills_the_stages_give_the_same_outputs(project: Project, whole: Project) -> None:
    for stage, output in {("sentences", "web"): "sentences/web", ("corpus",): "corpus"}.items():
        target, reference = (folder / "data" / output for folder in (project.folder, whole.folder))
        start = time.monotonic()
        assert whole.run(*stage)[0] == 0
        seconds = time.monotonic() - start
        for share in (0.5, 0.7, 0.8, 0.9, 0.97):
            process = project.start(*stage)
            time.sleep(seconds * share)
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            if target.exists():
                assert hash_folder(target) == hash_folder(reference), f"{output} is incomplete"
                shutil.rmtree(target)  # as DVC does before it runs the stage again
        assert project.run(*stage)[0] == 0
        assert hash_folder(target) == hash_folder(reference)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("8.txt", b"caf\xe9 au lait\n", "text/8.txt: line 1: is not UTF-8 (byte 0xe9)"),
        ("8.txt", b"GIF89a\0\0\1", "text/8.txt: line 1: has a NUL byte; it must be text in UTF-8"),
        ("8.parquet", b"PAR1", "text/8.parquet: "),
        ("8.jsonl", b"", "text/8.jsonl: is empty"),
        ("8.jsonl", b'{"body": "x"}\n', "text/8.jsonl: has no column 'text'; it has body"),
        ("8.txt.gz", b"no gzip", "text/8.txt.gz: "),
    ],
)
def test_a_bad_file_is_named_on_one_line(project: Project, name: str, content: bytes, message: str) -> None:
    (project.text / name).write_bytes(content)
    project.change()
    code, _, err = project.run("sentences", "web")
    assert code == 1
    assert len(err.splitlines()) == 1, err
    assert message in err
    assert project.outputs() == []


def test_a_source_without_matching_rows_is_refused(project: Project) -> None:
    (project.text / "8.jsonl").write_text('{"text": "One line.", "site": "a"}\n')
    project.change(files="8.*", where={"site": "b"})
    code, _, err = project.run("sentences", "web")
    assert (code, err) == (1, "error: corpus.sources.web: has no rows where {'site': 'b'}\n")


def test_a_glob_chooses_files(project: Project) -> None:
    project.change(files="[12].*")
    assert f"web: {2 * LINES:,} texts" in project.run("sentences", "web")[1]
    project.change(files="*.parquet")
    code, _, err = project.run("sentences", "web")
    assert code == 1
    assert err == f"error: {project.text}: none of its 8 tables matches '*.parquet'; the first is 0.txt\n"
