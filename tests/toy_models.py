"""A tiny model of every supported family, in the forms in which the hub has it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

from conftest import WORDS, make_sentences

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
DIGITS = [str(digit) for digit in range(10)]
PIECES = [*WORDS, ".", *DIGITS, *(f"##{digit}" for digit in DIGITS)]
SHAPE = {
    "vocab_size": 100,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 32,
    "max_position_embeddings": 66,
}
IDS = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "cls_token_id": 0, "sep_token_id": 2}
CONFIGS: dict[str, dict[str, Any]] = {
    "bert": SHAPE,
    "roberta": {**SHAPE, **IDS, "vocab_size": 400, "type_vocab_size": 1},
    "xlm-roberta": {**SHAPE, **IDS, "type_vocab_size": 1},
    "electra": {**SHAPE, "embedding_size": 8},
    "distilbert": {"vocab_size": 100, "dim": 16, "n_layers": 2, "n_heads": 4, "hidden_dim": 32},
    "mpnet": {**SHAPE, **IDS},
    "modernbert": {**SHAPE, **IDS, "vocab_size": 400},
    "deberta-v2": {**SHAPE, "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False},
}


def write_word_pieces(folder: Path) -> None:
    (folder / "vocab.txt").write_text("\n".join([*BERT_SPECIAL, *PIECES]))


def write_mpnet_pieces(folder: Path) -> None:
    (folder / "vocab.txt").write_text("\n".join([*SPECIAL[:4], *PIECES, "[UNK]", "<mask>"]))


def write_byte_pairs(folder: Path) -> None:
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(
        make_sentences(200, seed=0), vocab_size=400, special_tokens=SPECIAL, show_progress=False
    )
    trained.save_model(str(folder))


def write_one_file(folder: Path) -> None:
    write_byte_pairs(folder)
    backend = ByteLevelBPETokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    names = dict(zip(("bos_token", "pad_token", "eos_token", "unk_token", "mask_token"), SPECIAL, strict=True))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend._tokenizer, **names)
    tokenizer.save_pretrained(folder)
    for name in ("vocab.json", "merges.txt"):
        (folder / name).unlink()


def write_sentence_pieces(name: str, **special: Any) -> Callable[[Path], None]:
    """A function that trains a SentencePiece model and writes it as `name`."""

    def write(folder: Path) -> None:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(make_sentences(200, seed=0)),
            model_prefix=str(folder / "trained"),
            vocab_size=60,
            minloglevel=2,
            **special,
        )
        (folder / "trained.model").rename(folder / name)
        (folder / "trained.vocab").unlink()

    return write


DEBERTA_IDS = {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3}
DEBERTA_IDS |= {"pad_piece": "[PAD]", "bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]"}
TOKENIZERS: dict[str, Callable[[Path], None]] = {
    "bert": write_word_pieces,
    "electra": write_word_pieces,
    "distilbert": write_word_pieces,
    "mpnet": write_mpnet_pieces,
    "roberta": write_byte_pairs,
    "modernbert": write_one_file,
    "xlm-roberta": write_sentence_pieces("sentencepiece.bpe.model"),
    "deberta-v2": write_sentence_pieces("spm.model", **DEBERTA_IDS),
}
"""Functions that write the files of a family's tokenizer, the fewest that the hub has: no tokenizer.json of others."""


def write_model(folder: Path, family: str, architecture: Any = AutoModel, **how: Any) -> Any:
    """Write a tiny model with random weights. `how` says how to save it. Returns the model, in its saved precision."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    model = architecture.from_config(AutoConfig.for_model(family, **CONFIGS[family])).to(
        how.pop("dtype", torch.float32)
    )
    model.save_pretrained(folder, **how)
    TOKENIZERS[family](folder)
    return model


def as_sentence_transformers(folder: Path) -> None:
    """Turn a model folder into one of an old sentence-transformers."""
    inside = folder / "0_Transformer"
    inside.mkdir()
    for path in folder.iterdir():
        if path != inside:
            shutil.move(path, inside)
    (folder / "config.json").write_text('{"__version__": "0.2.5"}')
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"word_embedding_dimension": 16}')
    kinds = (("0_Transformer", "Transformer"), ("1_Pooling", "Pooling"))
    listed = (f'{{"path": "{path}", "type": "sentence_transformers.models.{kind}"}}' for path, kind in kinds)
    (folder / "modules.json").write_text(f"[{', '.join(listed)}]")
