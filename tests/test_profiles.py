import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from textbook.errors import UserError
from textbook.params import Params
from textbook.profiles import profile_names, render_profile

ROOT = Path(__file__).parents[1]
PROFILES = ROOT / "profiles"
DEFAULT = (PROFILES / "default.yaml").read_text()


def parse(text):
    return YAML(typ="safe", pure=True).load(text)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "default.yaml").write_text(DEFAULT)
    return tmp_path


@pytest.mark.parametrize("name", profile_names(PROFILES))
def test_every_profile_renders_to_a_valid_parameter_file(name):
    assert Params.model_validate(parse(render_profile(name, PROFILES)))


def test_the_default_profile_is_the_shipped_parameter_file():
    assert render_profile("default", PROFILES) == DEFAULT == (ROOT / "params.yaml").read_text()


def test_make_params_writes_the_file_and_nothing_of_a_profile_that_is_wrong(folder):
    (folder / "profiles").mkdir()
    (folder / "profiles" / "default.yaml").write_text(DEFAULT)
    (folder / "profiles" / "bad.yaml").write_text("base: default\nindex: {engine: lucene}\n")

    def make(name):
        command = [sys.executable, "-m", "pipelines.commands.params", name]
        environment = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)

    assert make("default").returncode == 0
    assert (folder / "params.yaml").read_text() == DEFAULT
    done = make("bad")
    assert done.returncode == 1
    assert done.stderr == "error: profile bad: index.engine = 'lucene': should be 'bm25s' or 'whoosh'\n"
    assert (folder / "params.yaml").read_text() == DEFAULT


def test_sections_merge_and_collections_replace_with_their_comments(folder):
    (folder / "a.yaml").write_text(
        "base: default\ncorpus:\n  sources:\n    mine: {asset: minilm} # my text\n  min_words: 2 # short ones too\n"
    )
    (folder / "b.yaml").write_text("base: a\ncorpus:\n  max_words: 99\ntextbooks:\n  contextualized:\n    k: 3\n")
    text = render_profile("b", folder)
    params, default = parse(text), parse(DEFAULT)
    assert params["corpus"]["sources"] == {"mine": {"asset": "minilm"}}
    assert (params["corpus"]["min_words"], params["corpus"]["max_words"]) == (2, 99)
    assert params["textbooks"]["contextualized"] == {**default["textbooks"]["contextualized"], "k": 3}
    assert params["teacher"] == default["teacher"]
    assert "# my text" in text
    assert "min_words: 2 # short ones too" in text
    assert text.startswith("# Profile b: make params PROFILE=b\n# Parameters of the pipeline.")
    assert "null" in text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("index: {k1: 1.0}\n", "base is missing"),
        ("base: nowhere\n", r"PROFILE = 'nowhere' \(the base of a\): must be one of a, default"),
        ("base: a\n", "base = 'a': leads back to the same profile"),
        ("- base\n", "must be a mapping"),
        ("base: [\n", "not valid YAML"),
        ("base: default\nindx: {k1: 1.0}\n", "profile a: indx is not a parameter"),
    ],
)
def test_what_is_wrong_with_a_profile_is_said_in_a_line(folder, content, message):
    (folder / "a.yaml").write_text(content)
    with pytest.raises(UserError, match=message) as error:
        render_profile("a", folder)
    assert "\n" not in str(error.value)


def test_an_unknown_profile_is_refused_with_those_that_are_known(folder):
    with pytest.raises(UserError, match=r"^PROFILE = 'big': must be one of default$"):
        render_profile("big", folder)
