"""The folder of a pulled model takes only files that hold data."""

import json

import pytest

from textbook.errors import UserError
from tracking.pulled import arrange, check_contents, check_names

INPUTS = {"signature": {"inputs": json.dumps([{"type": "string"}])}}


@pytest.fixture
def source(tmp_path):
    """A model as MLflow downloads it."""
    folder = tmp_path / "source"
    (folder / "model").mkdir(parents=True)
    (folder / "components" / "tokenizer").mkdir(parents=True)
    (folder / "MLmodel").write_text(json.dumps(INPUTS))
    (folder / "README.md").write_text("card")
    (folder / "requirements.txt").write_text("mlflow==3.17.2\ntorch==2.13.0\n")
    (folder / "conda.yaml").write_text("- evil\n")
    (folder / "model" / "config.json").write_text('{"model_type": "bert"}')
    (folder / "model" / "model.safetensors").write_bytes(b"weights")
    (folder / "components" / "tokenizer" / "tokenizer.json").write_text("{}")
    return folder


def test_a_model_of_this_project_is_taken_without_what_could_run(source, tmp_path):
    check_names(source, "m")
    check_contents(source, "m")
    arrange(source, tmp_path / "target", "m")
    names = {str(path.relative_to(tmp_path / "target")) for path in (tmp_path / "target").rglob("*") if path.is_file()}
    assert names == {
        "MLmodel",
        "README.md",
        "config.json",
        "model.safetensors",
        "requirements.txt",
        "tokenizer.json",
        "components/tokenizer/tokenizer.json",
    }


@pytest.mark.parametrize(
    "name",
    [
        "model/pytorch_model.bin",
        "model/weights.PKL",
        "model/a.npy",
        "model/tf_model.h5",
        "model/evil.dat",
        "model/modeling.py",
        "model/MODEL.safetensors",
        "code/evil.py",
        "components/tokenizer/config.json.py",
        "components/processor/tokenizer.json",
        "sitecustomize.py",
        "model.safetensors",
    ],
)
def test_any_other_file_is_refused_by_name(source, name):
    (source / name).parent.mkdir(exist_ok=True)
    (source / name).write_bytes(b"x")
    with pytest.raises(UserError, match=rf"^m: has files that no model of this project has: {name}$"):
        check_names(source, "m")


def test_a_link_is_refused(source, tmp_path):
    (source / "model" / "config.json").unlink()
    (source / "model" / "config.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"has files that no model of this project has: model/config\.json"):
        check_names(source, "m")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model/config.json", '{"auto_map": {"AutoModel": "evil--m.py"}}', "names code that would be run"),
        ("components/tokenizer/tokenizer_config.json", '{"auto_map": {}}', "names code that would be run"),
        ("model/model.safetensors.index.json", '{"weight_map": {"a": "../evil.bin"}}', "not safetensors beside it"),
        ("model/model.safetensors.index.json", '{"weight_map": ["evil.bin"]}', "not safetensors beside it"),
        ("model/config.json", "{", "config.json is no JSON"),
    ],
)
def test_a_file_that_names_code_or_other_weights_is_refused(source, name, content, message):
    (source / name).write_text(content)
    check_names(source, "m")
    with pytest.raises(UserError, match=message) as error:
        check_contents(source, "m")
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    "line", ["evil==1.0", "--index-url https://evil.example", "torch @ https://evil.example/t.whl"]
)
def test_other_requirements_are_refused(source, tmp_path, line):
    (source / "requirements.txt").write_text(f"torch==2.13.0\n{line}\n")
    with pytest.raises(UserError, match=r"requirements\.txt asks for"):
        arrange(source, tmp_path / "target", "m")


@pytest.mark.parametrize(
    "text", ["", "signature: {}", "!!python/object/apply:os.system [ls]", "signature: {inputs: 3}"]
)
def test_a_description_that_says_nothing_of_the_inputs_is_refused(source, tmp_path, text):
    (source / "MLmodel").write_text(text)
    with pytest.raises(UserError, match="MLmodel does not describe its inputs"):
        arrange(source, tmp_path / "target", "m")
