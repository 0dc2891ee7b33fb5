"""Damaged model folders are refused in one line, and no code from a folder ever runs."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toy_models import as_sentence_transformers, write_model

from textbook.errors import UserError
from textbook.models.classifier import load_classifier, read_classifier
from textbook.models.encoder import check_supported, load_config, load_encoder, load_tokenizer
from textbook.training.masked_lm import add_head

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 90868376\n"
ALL: list[Callable[[Path], Any]] = [
    load_config,
    load_tokenizer,
    load_encoder,
    read_classifier,
    lambda folder: load_classifier(folder, ["a", "b"], seed=0),
    lambda folder: add_head(folder, seed=0),
]


def refusals(folder: Path) -> list[str]:
    """The messages of all functions that load from a folder; each is one line that names the folder."""
    messages = []
    for load in ALL:
        try:
            load(folder)
        except UserError as error:
            messages.append(str(error))
    assert all("\n" not in message and str(folder) in message for message in messages)
    return messages


def change_settings(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_model(tmp_path / "model", "bert")
    load_tokenizer(tmp_path / "model").save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "vocab.txt", "config.json"])
def test_a_git_lfs_pointer_is_named_with_the_remedy(folder: Path, name: str) -> None:
    (folder / name).write_text(POINTER)
    assert refusals(folder) == [
        f"{folder / name}: is a Git LFS pointer, not the file itself; run `git lfs pull` in its repository"
    ] * len(ALL)


def test_a_tokenizer_of_another_version_is_refused(folder: Path) -> None:
    settings = json.loads((folder / "tokenizer.json").read_text())
    change_settings(folder / "tokenizer.json", model={**settings["model"], "type": "WordPieceNext"})
    (message,) = refusals(folder)[:1]
    assert "its tokenizer.json does not suit tokenizers 0." in message
    (folder / "tokenizer.json").unlink()  # the remedy that the message names
    assert load_tokenizer(folder)("the film")["input_ids"] == [2, 5, 7, 3]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.safetensors", b"", "no complete safetensors file"),
        ("model.safetensors", b"\x93\0\0\0\0\0\0\0{}", "no complete safetensors file"),
        ("config.json", b"{", "config.json: is not valid JSON"),
        ("config.json", b"[]", "config.json: must be a mapping"),
        ("config.json", b"{}", "model_type"),
        ("config.json", b'{"model_type": "nonesuch"}', "nonesuch"),
        ("config.json", b'{"model_type": "bert", "hidden_size": 30, "num_attention_heads": 4}', "multiple"),
        ("config.json", b'{"model_type": "bert", "vocab_size": "many"}', "vocab_size"),
        ("tokenizer.json", b"\xff\xfe", "tokenizer"),
        ("tokenizer_config.json", b"{]", "tokenizer_config.json: is not valid JSON"),
        ("tokenizer_config.json", b'{"tokenizer_class": "NoneSuch"}', None),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(folder: Path, name: str, content: bytes, message: str | None) -> None:
    (folder / name).write_bytes(content)
    messages = refusals(folder)
    assert message is None or any(message in refusal for refusal in messages), messages


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.99])
def test_weights_that_are_cut_off_are_refused(folder: Path, cut: float) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[: int(cut * path.stat().st_size)])
    with pytest.raises(UserError, match="its weights are no complete safetensors file"):
        load_encoder(folder)


def test_a_missing_shard_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path, "bert", max_shard_size="8KB")
    max(tmp_path.glob("model-*.safetensors")).unlink()
    with pytest.raises(UserError, match=r"cannot load an encoder: .*model-"):
        load_encoder(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_code_of_the_model_never_runs_and_nobody_is_asked(
    folder: Path, name: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Asked:
        def readline(self, *_: object) -> str:
            raise AssertionError("a question was asked")

    monkeypatch.setattr(sys, "stdin", Asked())
    mark = folder / "ran"
    (folder / "evil.py").write_text(f"open({str(mark)!r}, 'w')\n")
    code = dict.fromkeys(("AutoConfig", "AutoModel", "AutoModelForSequenceClassification"), "evil.Evil")
    change_settings(
        folder / name, auto_map={**code, "AutoModelForMaskedLM": "evil.Evil", "AutoTokenizer": ["evil.Evil", None]}
    )
    messages = refusals(folder)
    assert len(messages) == len(ALL)
    assert all(f"{name}: names code of the model's own" in message for message in messages)
    change_settings(folder / name, model_type="evil")
    refusals(folder)
    assert not mark.exists()
    assert "custom code" not in capfd.readouterr().out


def test_a_list_of_modules_cannot_lead_out_of_its_folder(folder: Path, tmp_path: Path) -> None:
    for outer, path in ((tmp_path / "outer", "../model"), (folder / "inner", ".."), (folder / "a", str(folder))):
        outer.mkdir()
        (outer / "modules.json").write_text(json.dumps([{"path": path}]))
        with pytest.raises(UserError, match=f"{outer}: cannot load a model configuration"):
            load_config(outer)


@pytest.mark.parametrize("listed", [True, False])
def test_the_encoder_of_an_old_sentence_transformers_is_in_a_subfolder(folder: Path, listed: bool) -> None:
    expected = load_encoder(folder).state_dict()
    as_sentence_transformers(folder)
    if not listed:
        (folder / "modules.json").unlink()
    assert len(load_tokenizer(folder)) == 47
    assert all(weight.equal(expected[name]) for name, weight in load_encoder(folder).state_dict().items())


def test_a_tokenizer_without_a_pad_token_takes_one_and_says_so(folder: Path) -> None:
    def forget_the_pad_token(**more: Any) -> None:
        settings = json.loads((folder / "tokenizer_config.json").read_text())
        settings.pop("pad_token")
        (folder / "tokenizer_config.json").write_text(
            json.dumps({**settings, "tokenizer_class": "PreTrainedTokenizerFast", **more})
        )

    forget_the_pad_token()
    with pytest.warns(UserWarning, match=r"its tokenizer names no pad token; \[PAD\] is taken"):
        assert load_tokenizer(folder).pad_token_id == 0
    change_settings(folder / "config.json", pad_token_id=5)  # the model's own comes first
    with pytest.warns(UserWarning, match="no pad token; the is taken"):
        assert load_tokenizer(folder).pad_token_id == 5
    change_settings(folder / "config.json", pad_token_id=None)
    text = (folder / "tokenizer.json").read_text()
    (folder / "tokenizer.json").write_text(text.replace("[PAD]", "[OTHER]"))
    with pytest.raises(UserError, match="its tokenizer has no pad token; name one as pad_token in tokenizer_config"):
        load_tokenizer(folder)


def test_an_unsupported_architecture_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    for settings, message in (({"model_type": "gpt2"}, "unsupported"), ({"model_type": "t5"}, "T5|unsupported")):
        (tmp_path / "config.json").write_text(json.dumps(settings))
        with pytest.raises(UserError, match=message):
            check_supported(load_config(tmp_path))
