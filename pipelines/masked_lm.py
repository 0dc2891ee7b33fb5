"""Stage `masked_lm@…`: an encoder learns to fill masked words of the corpus, for augmented textbooks."""

import shutil
from pathlib import Path

import numpy as np

from pipelines.stage import ASSETS, CACHE, CORPUS, run
from textbook.assets import FILES, locate, write_manifest
from textbook.corpus.shards import corpus_hash, corpus_size
from textbook.corpus.take import take_sentences
from textbook.files import digest, read_json, write_aside
from textbook.models.encoder import load_tokenizer
from textbook.params import Params
from textbook.textbooks.general import sample
from textbook.training.device import best_device
from textbook.training.log import log_to_file, read_history
from textbook.training.masked_lm import add_head, train_masked_lm
from textbook.training.tokens import tokenize


def masked_lm(params: Params, name: str) -> None:
    """Write the asset `name`: a Hugging Face folder with model and tokenizer, and its history."""
    settings = params.assets.masked_lm[name]
    folder = locate(ASSETS / settings.encoder)
    tokenizer = load_tokenizer(folder)
    ids = sample(corpus_size(CORPUS), settings.sentences, settings.seed)
    first, second = (_sentences((ids + n) % corpus_size(CORPUS)) for n in (0, 1))
    model = add_head(folder, settings.seed)
    # Everything that decides the outcome names the work folder, so only this very run goes on from its checkpoints.
    inputs = [settings.model_dump(), corpus_hash(CORPUS), read_json(ASSETS / settings.encoder / "asset.json")]
    work = CACHE / "masked_lm" / digest(*inputs)
    work.mkdir(parents=True, exist_ok=True)
    train_masked_lm(
        model,
        tokenizer,
        tokenize(tokenizer, first, second, settings.max_length),
        settings,
        device=best_device(),
        log=log_to_file(work / "history.jsonl"),
        checkpoints=work / "checkpoints",
    )
    with write_aside(ASSETS / name) as aside:
        model.save_pretrained(aside / FILES)
        tokenizer.save_pretrained(aside / FILES)
        shutil.copy(work / "history.jsonl", aside)
        write_manifest(aside, Path(FILES))
    last = read_history(work / "history.jsonl")[-1]
    shutil.rmtree(work)
    print(f"{name}: fills {last['accuracy']:.0%} of the masked tokens right")


def _sentences(ids: np.ndarray) -> list[str]:
    return [sentence for rows in take_sentences(CORPUS, ids) for sentence in rows["sentence"].to_pylist()]


if __name__ == "__main__":
    run(masked_lm)
