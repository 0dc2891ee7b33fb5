"""Speed of predicting candidates for the augmented textbook, compared with predicting one masked word at a time.

    python -m benchmarks.augment   # after `dvc repro augmented`

The first measurement uses the masked LM and the sentences of the shipped example. The others use untrained models and
random sentences, because speed does not depend on the weights. These models have the shapes of BERT-tiny, BERT-mini,
MiniLM-L6 and BERT-base and a vocabulary of BERT's size, 30,522 tokens.

The two methods take turns: all masked words of some sentences are predicted in batches, and every fourth of them one at
a time. The candidates of the latter are compared. `share_of_peak` is the speed of the batched predictions relative to a
large matrix product, measured in the same run.

Prints a table and writes `benchmarks/results/augment.json`. On a busy machine, set OMP_NUM_THREADS=1, because threads
that wait for each other distort the results.
"""

import os

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import platform
import random
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from transformers import AutoModelForMaskedLM, BertConfig, BertForMaskedLM, BertTokenizerFast, PreTrainedModel

from textbook.assets.manifest import locate
from textbook.files import write_json
from textbook.models.flops import encoder_flops
from textbook.params_file import load_params
from textbook.retrieval.stop_words import read_stop_words
from textbook.tasks.splits import read_split, texts
from textbook.textbooks.augmentation.candidates import (
    Doubled,
    MaskedLm,
    Span,
    double,
    load_masked_lm,
    predict_candidates,
)
from textbook.textbooks.augmentation.onednn import use_onednn
from textbook.textbooks.augmentation.variants import eligible

SHAPES = {  # layers, hidden size, number of masked words
    "2 x 128": (2, 128, 2000),
    "4 x 256": (4, 256, 1000),
    "6 x 384": (6, 384, 480),
    "12 x 768": (12, 768, 160),
}
VOCABULARY_SIZE = 30_522
K, BATCH, TURNS, EVERY = 15, 16, 2, 4
TASK, TASK_WORDS = "rotten_tomatoes", 480  # the real sentences, and the number of masked words in them
RESULT = Path("benchmarks/results/augment.json")

Masked = list[tuple[Doubled, Span]]
T = TypeVar("T")
CPU = torch.device("cpu")


def main() -> None:
    """Measure all models, and write and print the results."""
    peak = matmul_speed()
    trained = locate(Path("data/assets", load_params().textbooks.augmented[TASK].masked_lm))
    sentences, _ = texts(read_split(Path("data/tasks", TASK), "train"))
    results = {f"{TASK}, 6 x 384": measure("real", trained, sentences[: 2 * TASK_WORDS : 2], TASK_WORDS, peak)}
    vocabulary = make_vocabulary()
    for name, (layers, hidden, words) in SHAPES.items():
        with tempfile.TemporaryDirectory() as folder:
            make_masked_lm(Path(folder), vocabulary, layers, hidden)
            results[name] = measure(name, Path(folder), make_sentences(vocabulary, words), words, peak)
    machine = f"{torch.get_num_threads()} threads, {platform.machine()}, torch {torch.__version__}"
    RESULT.parent.mkdir(exist_ok=True)
    setup = {"machine": machine, "k": K, "batch": BATCH, "matmul_gflops": peak / 1e9}
    write_json(RESULT, {**setup, "shapes": results})
    table = Table("masked LM", "words", "one at a time, words/s", "batched, words/s", "ratio", "same", "of peak")
    for name, row in results.items():
        speeds = (f"{row[key]:,.1f}" for key in ("one_at_a_time_per_second", "batched_per_second"))
        shares = (f"{row[key]:.0%}" for key in ("same_candidates", "share_of_peak"))
        table.add_row(name, str(row["words"]), *speeds, f"{row['ratio']:.1f}", *shares)
    Console().print(table)


def measure(name: str, folder: Path, sentences: list[str], words: int, peak: float) -> dict[str, float]:
    """Words per second of both methods, and the share of words with the same candidates."""
    lm = load_masked_lm(folder, CPU)
    plain_lm = AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32).eval()
    masked = masked_words(lm, sentences)[:words]
    one_at_a_time(plain_lm, lm, masked[:4])  # warm up
    predict_candidates(lm, masked[:BATCH], k=K, batch=BATCH)
    seconds = {"one": 0.0, "batched": 0.0}
    same = single = 0
    for turn in range(TURNS):  # alternate, so that load on the machine affects both methods
        part = masked[turn * len(masked) // TURNS : (turn + 1) * len(masked) // TURNS]
        expected, elapsed = timed(partial(one_at_a_time, plain_lm, lm, part[::EVERY]))
        seconds["one"] += elapsed
        batched, elapsed = timed(partial(predict_from_text, lm, part))
        seconds["batched"] += elapsed
        single += len(expected)
        same += sum(set(words) == reference for words, reference in zip(batched[::EVERY], expected, strict=True))
        print(f"{name}: turn {turn + 1} of {TURNS}", file=sys.stderr)
    plain_speed, speed = single / seconds["one"], len(masked) / seconds["batched"]
    config = lm.model.config
    lengths = np.array([len(sentence.ids) for sentence, _ in masked])
    flops_per_word = float(encoder_flops(config, lengths).mean()) + 2 * config.hidden_size * config.vocab_size
    return {
        "words": len(masked),
        "tokens_per_word": float(lengths.mean()),
        "one_at_a_time_per_second": plain_speed,
        "batched_per_second": speed,
        "ratio": speed / plain_speed,
        "same_candidates": same / single,
        "share_of_peak": speed * flops_per_word / peak,
    }


@torch.inference_mode()
def matmul_speed(size: int = 2048, times: int = 10) -> float:
    """FLOPs per second of a large fp32 matrix product with oneDNN."""
    layer = torch.nn.Linear(size, size)
    use_onednn(layer)
    states = torch.randn(size, size)
    layer(states)
    _, seconds = timed(lambda: [layer(states) for _ in range(times)])
    return times * 2 * size**3 / seconds


@torch.inference_mode()
def one_at_a_time(model: PreTrainedModel, lm: MaskedLm, masked: Masked) -> list[set[str]]:
    """Predict each word separately: run the whole model on the masked sentence and the original sentence."""
    candidates = []
    for sentence, span in masked:
        inputs = lm.tokenizer(sentence.sentence, sentence.sentence, return_tensors="pt")
        place = sentence.places[span]
        inputs["input_ids"][0, place] = lm.tokenizer.mask_token_id
        ids = model(**inputs).logits[0, place].topk(K).indices.tolist()
        tokens = lm.tokenizer.convert_ids_to_tokens(ids)
        special = lm.tokenizer.all_special_tokens
        candidates.append({token for token in tokens if not token.startswith("##") and token not in special})
    return candidates


def predict_from_text(lm: MaskedLm, masked: Masked) -> list[list[str]]:
    """Predict the same words with the library, including tokenisation."""
    texts = list(dict.fromkeys(sentence.sentence for sentence, _ in masked))
    doubled = dict(zip(texts, double(lm, texts), strict=True))
    return predict_candidates(lm, [(doubled[sentence.sentence], span) for sentence, span in masked], k=K, batch=BATCH)


def masked_words(lm: MaskedLm, sentences: list[str]) -> Masked:
    """The words that are masked for the augmented textbook."""
    return [
        (sentence, span)
        for sentence in double(lm, sentences)
        for span in eligible(sentence.sentence, read_stop_words("en"))
        if span in sentence.places
    ]


def make_vocabulary() -> list[str]:
    """Special tokens, random distinct words, and as many continuation tokens as in BERT's vocabulary."""
    rng = random.Random(0)
    words: dict[str, None] = {}
    while len(words) < VOCABULARY_SIZE - 5 - 5_828:
        syllables = (rng.choice("bdfgklmnprst") + rng.choice("aeiou") for _ in range(rng.randint(2, 4)))
        words["".join(syllables)] = None
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *(f"##{number}" for number in range(5_828))]


def make_sentences(vocabulary: list[str], count: int) -> list[str]:
    """Random sentences of 4 to 16 words, as in CoLA and SST-2, with word frequencies that follow Zipf's law."""
    rng = random.Random(1)
    words = [word for word in vocabulary if word.isalpha()]
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    return [" ".join(rng.choices(words, weights, k=rng.randint(4, 16))) for _ in range(count)]


def make_masked_lm(folder: Path, vocabulary: list[str], layers: int, hidden: int) -> None:
    """Write an untrained model of the given shape."""
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        num_hidden_layers=layers,
        hidden_size=hidden,
        num_attention_heads=hidden // 64,
        intermediate_size=4 * hidden,
        initializer_range=0.1,  # spreads the logits as in a trained model
    )
    BertForMaskedLM(config).save_pretrained(folder)


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """The result of a call, and its duration in seconds."""
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


if __name__ == "__main__":
    main()
