"""Stage `masked_lm@name`: train a masked language model on the corpus, for augmented textbooks."""

import shutil

import numpy as np
from numpy.typing import NDArray

from pipelines.cli import run
from pipelines.paths import ASSETS, CORPUS
from pipelines.work import work_folder
from textbook.assets.manifest import FILES, MANIFEST, locate, write_manifest
from textbook.corpus.shards import corpus_hash, corpus_size, take_sentences
from textbook.files import atomic_write, read_json, remove
from textbook.models.encoder import load_tokenizer
from textbook.params import Params, entry
from textbook.textbooks.general import sample
from textbook.training.engine.device import best_device
from textbook.training.engine.log import log_to_file, read_history
from textbook.training.engine.tokens import tokenize
from textbook.training.masked_lm import add_head, train_masked_lm


def main(params: Params, name: str) -> None:
    """Write the asset: a Hugging Face folder with model and tokenizer, and the history of the training."""
    settings = entry(params.assets.masked_lm, name, "assets.masked_lm")
    folder = locate(ASSETS / settings.encoder)
    tokenizer = load_tokenizer(folder)
    ids = sample(corpus_size(CORPUS), settings.sentences, settings.seed)
    first, second = (_sentences((ids + n) % corpus_size(CORPUS)) for n in (0, 1))
    model = add_head(folder, settings.seed)
    encoder = read_json(ASSETS / settings.encoder / MANIFEST)
    work = work_folder(f"masked_lm@{name}", settings.model_dump(), corpus_hash(CORPUS), encoder)
    train_masked_lm(
        model,
        tokenizer,
        tokenize(tokenizer, first, second, settings.max_length),
        settings,
        device=best_device(),
        log=log_to_file(work / "history.jsonl"),
        checkpoints=work / "checkpoints",
    )
    with atomic_write(ASSETS / name) as temporary:
        model.save_pretrained(temporary / FILES)
        tokenizer.save_pretrained(temporary / FILES)
        shutil.copy(work / "history.jsonl", temporary)
        write_manifest(temporary, temporary / FILES, FILES)
    last = read_history(work / "history.jsonl")[-1]
    remove(work)
    print(f"{name}: predicts {last['accuracy']:.0%} of the masked tokens correctly")


def _sentences(ids: NDArray[np.int64]) -> list[str]:
    return [sentence for rows in take_sentences(CORPUS, ids) for sentence in rows["sentence"].to_pylist()]


if __name__ == "__main__":
    run(main)
