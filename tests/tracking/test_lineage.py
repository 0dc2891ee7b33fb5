"""The git tags and DVC hashes of a run."""

import subprocess

from tracking.lineage import dvc_hashes, git_tags

LOCK = """
stages:
  corpus:
    deps: [{path: data/assets/text, md5: m1}]
    outs: [{path: data/corpus, md5: m2.dir}]
  fetch:
    outs: [{path: data/assets/text, md5: m1}]
  book:
    deps: [{path: data/corpus, md5: m2.dir}, {path: code.py, md5: m9}]
    outs: [{path: data/book, md5: m3}, {path: data/book.json, md5: m4}]
  other:
    outs: [{path: data/other, md5: m5}]
"""


def test_the_hashes_of_an_output_and_of_everything_it_was_made_from(tmp_path):
    (tmp_path / "dvc.lock").write_text(LOCK)
    assert dvc_hashes(["data/book"], tmp_path / "dvc.lock") == {
        "data/assets/text": "m1",
        "data/book": "m3",
        "data/book.json": "m4",
        "data/corpus": "m2.dir",
    }


def test_without_a_lock_file_there_are_no_hashes(tmp_path):
    assert dvc_hashes(["data/book"], tmp_path / "dvc.lock") == {}


def test_the_commit_and_whether_the_tree_has_uncommitted_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert git_tags() == {"mlflow.source.git.commit": "unknown", "git.dirty": "unknown"}  # no repository

    def git(*arguments):
        identity = ["-c", "user.name=n", "-c", "user.email=e"]
        return subprocess.run(["git", *identity, *arguments], check=True, capture_output=True, text=True).stdout.strip()

    git("init")
    assert git_tags() == {"mlflow.source.git.commit": "unknown", "git.dirty": "false"}  # no commit yet
    (tmp_path / "params.yaml").write_text("a: 1\n")
    git("add", ".")
    git("commit", "-m", "first")
    (tmp_path / "dvc.lock").write_text("written by a run")
    assert git_tags() == {"mlflow.source.git.commit": git("rev-parse", "HEAD"), "git.dirty": "false"}
    (tmp_path / "params.yaml").write_text("a: 2\n")
    assert git_tags()["git.dirty"] == "true"
    # A repository of another user, in which git refuses to work.
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert git_tags() == {"mlflow.source.git.commit": "unknown", "git.dirty": "unknown"}
    monkeypatch.setenv("PATH", "/nonexistent")
    assert git_tags() == {"mlflow.source.git.commit": "unknown", "git.dirty": "unknown"}
