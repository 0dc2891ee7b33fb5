"""How fast the candidates of the augmented textbook are predicted, beside one masked word at a time.

    python -m benchmarks.augment   # after `dvc repro augmented`

First with the masked LM and the sentences of the shipped example. Then with made-up ones (speed does not depend on what
a model has learnt) in the shapes of BERT-tiny, BERT-mini, MiniLM-L6 and BERT-base, with BERT's 30,522 pieces. In turns
all masked words of some sentences are predicted together and every fourth of them one at a time; of these the
candidates are compared. `share_of_peak` is how much of the speed of a large matrix product, measured in the same run,
the batched predictions reach. Prints a table and writes `benchmarks/results/augment.json`. On a busy machine set
OMP_NUM_THREADS=1: threads that wait for each other distort it.
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

from textbook.assets import locate
from textbook.files import write_json
from textbook.models.flops import encoder_flops
from textbook.params_file import load_params
from textbook.tasks.prepare import read_split, texts
from textbook.textbooks.augmented import eligible
from textbook.textbooks.candidates import Doubled, MaskedLm, Span, double, load_masked_lm, predict
from textbook.textbooks.onednn import use_onednn

SHAPES = {  # layers, hidden size, masked words to predict
    "2 x 128": (2, 128, 2000),
    "4 x 256": (4, 256, 1000),
    "6 x 384": (6, 384, 480),
    "12 x 768": (12, 768, 160),
}
PIECES = 30_522
K, BATCH, TURNS, EVERY = 15, 16, 2, 4
TASK, TRAINED = "rotten_tomatoes", 480  # the real sentences, and how many of their words
RESULT = Path("benchmarks/results/augment.json")

Masked = list[tuple[Doubled, Span]]
T = TypeVar("T")
CPU = torch.device("cpu")


def main() -> None:
    """Measure each model."""
    peak = matmul_speed()
    trained = locate(Path("data/assets", load_params().textbooks.augmented[TASK].masked_lm))
    sentences, _ = texts(read_split(Path("data/tasks", TASK), "train"))
    results = {f"{TASK}, 6 x 384": measure("real", trained, sentences[: 2 * TRAINED : 2], TRAINED, peak)}
    vocabulary = make_vocabulary()
    for name, (layers, hidden, words) in SHAPES.items():
        with tempfile.TemporaryDirectory() as folder:
            make_masked_lm(Path(folder), vocabulary, layers, hidden)
            results[name] = measure(name, Path(folder), make_sentences(vocabulary, words), words, peak)
    machine = f"{torch.get_num_threads()} threads, {platform.machine()}, torch {torch.__version__}"
    RESULT.parent.mkdir(exist_ok=True)
    about = {"machine": machine, "k": K, "batch": BATCH, "matmul_gflops": peak / 1e9}
    write_json(RESULT, {**about, "shapes": results})
    table = Table("masked LM", "words", "one at a time, words/s", "batched, words/s", "ratio", "same", "of peak")
    for name, row in results.items():
        speeds = (f"{row[key]:,.1f}" for key in ("one_at_a_time_per_second", "batched_per_second"))
        shares = (f"{row[key]:.0%}" for key in ("same_candidates", "share_of_peak"))
        table.add_row(name, str(row["words"]), *speeds, f"{row['ratio']:.1f}", *shares)
    Console().print(table)


def measure(name: str, folder: Path, sentences: list[str], words: int, peak: float) -> dict[str, float]:
    """Words per second of both ways, and the share of words for which they agree."""
    lm = load_masked_lm(folder, CPU)
    plain_lm = AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32).eval()
    masked = masked_words(lm, sentences)[:words]
    one_at_a_time(plain_lm, lm, masked[:4])  # warm up
    predict(lm, masked[:BATCH], k=K, batch=BATCH)
    seconds = {"one": 0.0, "batched": 0.0}
    same = alone = 0
    for turn in range(TURNS):  # in turns, so that a busy machine slows both
        part = masked[turn * len(masked) // TURNS : (turn + 1) * len(masked) // TURNS]
        plain, took = timed(partial(one_at_a_time, plain_lm, lm, part[::EVERY]))
        seconds["one"] += took
        found, took = timed(partial(predict_from_text, lm, part))
        seconds["batched"] += took
        alone += len(plain)
        same += sum(set(ours) == theirs for ours, theirs in zip(found[::EVERY], plain, strict=True))
        print(f"{name}: turn {turn + 1} of {TURNS}", file=sys.stderr)
    plain_speed, speed = alone / seconds["one"], len(masked) / seconds["batched"]
    shape = lm.model.config
    lengths = np.array([len(sentence.ids) for sentence, _ in masked])
    per_word = float(encoder_flops(shape, lengths).mean()) + 2 * shape.hidden_size * shape.vocab_size
    return {
        "words": len(masked),
        "tokens_per_word": float(lengths.mean()),
        "one_at_a_time_per_second": plain_speed,
        "batched_per_second": speed,
        "ratio": speed / plain_speed,
        "same_candidates": same / alone,
        "share_of_peak": speed * per_word / peak,
    }


@torch.inference_mode()
def matmul_speed(size: int = 2048, times: int = 10) -> float:
    """Floating-point operations a second of a product of large fp32 matrices, as `use_onednn` has it."""
    layer = torch.nn.Linear(size, size)
    use_onednn(layer)
    states = torch.randn(size, size)
    layer(states)
    _, seconds = timed(lambda: [layer(states) for _ in range(times)])
    return times * 2 * size**3 / seconds


@torch.inference_mode()
def one_at_a_time(model: PreTrainedModel, lm: MaskedLm, masked: Masked) -> list[set[str]]:
    """Each word alone: the sentence with the word masked, and the sentence, through the whole model."""
    found = []
    for sentence, span in masked:
        inputs = lm.tokenizer(sentence.sentence, sentence.sentence, return_tensors="pt")
        place = sentence.places[span]
        inputs["input_ids"][0, place] = lm.tokenizer.mask_token_id
        pieces = model(**inputs).logits[0, place].topk(K).indices.tolist()
        tokens = lm.tokenizer.convert_ids_to_tokens(pieces)
        special = lm.tokenizer.all_special_tokens
        found.append({token for token in tokens if not token.startswith("##") and token not in special})
    return found


def predict_from_text(lm: MaskedLm, masked: Masked) -> list[list[str]]:
    """The same words with the library, tokenising included."""
    texts = list(dict.fromkeys(sentence.sentence for sentence, _ in masked))
    doubled = dict(zip(texts, double(lm, texts), strict=True))
    return predict(lm, [(doubled[sentence.sentence], span) for sentence, span in masked], k=K, batch=BATCH)


def masked_words(lm: MaskedLm, sentences: list[str]) -> Masked:
    """The words that the augmented textbook would mask."""
    return [
        (sentence, span)
        for sentence in double(lm, sentences)
        for span in eligible(sentence.sentence)
        if span in sentence.places
    ]


def make_vocabulary() -> list[str]:
    """Distinct made-up words, the most frequent first, and as many continuations as BERT has."""
    chance = random.Random(0)
    words: dict[str, None] = {}
    while len(words) < PIECES - 5 - 5_828:
        syllables = (chance.choice("bdfgklmnprst") + chance.choice("aeiou") for _ in range(chance.randint(2, 4)))
        words["".join(syllables)] = None
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *(f"##{number}" for number in range(5_828))]


def make_sentences(vocabulary: list[str], count: int) -> list[str]:
    """Sentences of 4 to 16 words (CoLA, SST-2) with the frequencies of Zipf's law."""
    chance = random.Random(1)
    words = [word for word in vocabulary if word.isalpha()]
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    return [" ".join(chance.choices(words, weights, k=chance.randint(4, 16))) for _ in range(count)]


def make_masked_lm(folder: Path, vocabulary: list[str], layers: int, hidden: int) -> None:
    """An untrained model of the given shape."""
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        num_hidden_layers=layers,
        hidden_size=hidden,
        num_attention_heads=hidden // 64,
        intermediate_size=4 * hidden,
        initializer_range=0.1,  # logits as far apart as a trained model's
    )
    BertForMaskedLM(config).save_pretrained(folder)


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What it gives, and how many seconds it took."""
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


if __name__ == "__main__":
    main()
