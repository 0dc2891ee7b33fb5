"""What is known of a run before it starts, and how large the texts are that come out of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import exp
from typing import TypeVar

from textbook.params import Params, Task

# Measured on the IMDB reviews of the shipped example (33 MB) and on the 445 MB of English text of the profile `glue`.
KEPT = 0.94  # share of the bytes of a source that is left after splitting and removing duplicates (both: 0.94)
SENTENCE_BYTES = 115  # of a sentence of the corpus (107 and 121)
FOUND_BYTES = 95  # of a sentence of a contextualized textbook (91): BM25 prefers short ones
CORPUS_SHARE = 0.48  # bytes of the corpus on disk for each byte of its text (0.47 and 0.49)
INDEX_SHARE = 0.7  # bytes of the index for each byte of its text (0.70)
BOOK_SHARE = 0.55  # bytes of a textbook on disk for each byte of its text (0.52 and 0.50, and ranks and scores)
TOKEN_BYTES = 4.6  # bytes of English text for each token of a vocabulary of 30,000 (4.57); more tokens elsewhere
SPECIAL = 2  # tokens that mark the ends of a text; one more in a pair
TASK_SHARE = 0.47  # bytes of a prepared task on disk for each byte of its text (0.47)
ROW_BYTES = 110  # of text in a row of a task of which only the size is known (SST-2: 54, Rotten Tomatoes: 109)
OVERLAP = 0.6  # of hits that retrieve new sentences: 0.62 for k = 40, 0.51 for k = 100, 0.18 for SST-2's short phrases

T = TypeVar("T")


class Unknown(Exception):
    """A size that decides the estimate is not known yet, because a file is not there yet."""


@dataclass(frozen=True)
class Shape:
    """The sizes of an encoder, under the names that its configuration has them and `textbook.models.flops` reads."""

    num_hidden_layers: int
    hidden_size: int
    intermediate_size: int
    vocab_size: int
    model_type: str = "bert"
    positions: int = 512

    @property
    def words(self) -> int:
        """Number of weights of its word embeddings."""
        return self.vocab_size * self.hidden_size

    @property
    def layer_weights(self) -> int:
        """Number of weights of a layer: projections, feed-forward, biases and normalisations."""
        hidden, wide = self.hidden_size, self.intermediate_size
        return 4 * hidden * hidden + 2 * hidden * wide + 9 * hidden + wide

    @property
    def weights(self) -> int:
        """Number of weights, without a head."""
        return self.words + (self.positions + 4) * self.hidden_size + self.num_hidden_layers * self.layer_weights

    def cut(self, layers: int) -> "Shape":
        """The same encoder with its first layers only."""
        return replace(self, num_hidden_layers=min(layers, self.num_hidden_layers))


# Encoders whose size tells their shape before they are there: MiniLM, BERT and RoBERTa, base and large.
USUAL_SHAPES = (
    Shape(6, 384, 1536, 30522),
    Shape(12, 384, 1536, 30522),
    Shape(6, 768, 3072, 30522),
    Shape(12, 768, 3072, 30522),
    Shape(12, 768, 3072, 50265),
    Shape(24, 1024, 4096, 30522),
    Shape(24, 1024, 4096, 50265),
)


def likely_shape(size: float) -> Shape:
    """The usual encoder whose weights are nearest to a number of bytes in fp32."""
    return min(USUAL_SHAPES, key=lambda shape: abs(4 * shape.weights - size))


@dataclass(frozen=True)
class Rows:
    """A labelled task: its numbers of rows, and the bytes of text in a row, over both texts of a pair."""

    train: int
    validation: int
    row_bytes: float

    def tokens(self, max_length: int, *, pair: bool = False) -> float:
        """Tokens of a row on average."""
        return text_tokens(self.row_bytes, max_length, pair=pair)


@dataclass(frozen=True)
class Facts:
    """What the files say, or the notes of an earlier run on them; None: not known yet."""

    sources: Mapping[str, float | None] = field(default_factory=dict)
    """Bytes of text of each source of the corpus."""
    tasks: Mapping[str, Rows | None] = field(default_factory=dict)
    """The rows of each task."""
    encoders: Mapping[str, Shape | None] = field(default_factory=dict)
    """The shapes of the assets that are encoders."""
    assets: Mapping[str, float | None] = field(default_factory=dict)
    """Bytes of each asset on disk."""


def text_tokens(text_bytes: float, max_length: int, *, pair: bool = False) -> float:
    """Tokens of a text of this many bytes, at most `max_length`."""
    return min(float(max_length), text_bytes / TOKEN_BYTES + SPECIAL + pair)


def known(value: T | None) -> T:
    """What must be known of the sizes of a run.

    Raises:
        Unknown: it is not.
    """
    if value is None:
        raise Unknown
    return value


def corpus_bytes(facts: Facts) -> float:
    """Bytes of text in the corpus.

    Raises:
        Unknown: the size of a source is not known.
    """
    return KEPT * sum(known(size) for size in facts.sources.values())


def corpus_sentences(facts: Facts) -> float:
    """Number of sentences in the corpus; see `corpus_bytes`."""
    return corpus_bytes(facts) / SENTENCE_BYTES


def rows_of(facts: Facts, task: str) -> Rows:
    """The rows of a task.

    Raises:
        Unknown: they are not known.
    """
    return known(facts.tasks.get(task))


def shape_of(facts: Facts, asset: str) -> Shape:
    """The shape of an encoder.

    Raises:
        Unknown: it is not known.
    """
    return known(facts.encoders.get(asset))


def anchors(rows: Rows, task: Task) -> int:
    """Number of texts of a task for which sentences are retrieved."""
    return rows.train * len(task.text)


def book_sentences(params: Params, facts: Facts, task: str, kind: str) -> float:
    """Number of rows of a textbook of one kind: sentences, or pairs of them.

    Raises:
        Unknown: the size of the corpus or of the task is not known.
    """
    about = params.task(task)
    if kind == "augmented":
        settings, rows = params.textbooks.augmented[task], rows_of(facts, task).train
        varied = min(rows, settings.varied or rows)
        return rows + varied * settings.variants
    whole = corpus_sentences(facts)
    if kind == "general":
        found = min(whole, params.textbooks.general.sentences)
    else:
        retrieval = params.textbooks.contextualized
        hits = anchors(rows_of(facts, task), about) * retrieval.k
        found = whole * (1 - exp(-OVERLAP * hits / whole)) if whole else 0.0
        if retrieval.budget:
            unit = 1 if retrieval.budget.unit == "sentences" else FOUND_BYTES
            found = min(found, retrieval.budget.size / unit)
    return found / 2 if _in_pairs(params, task, kind) else found


def book_row_bytes(params: Params, facts: Facts, task: str, kind: str) -> float:
    """Bytes of text in a row of a textbook; see `book_sentences`."""
    if kind == "augmented":
        return rows_of(facts, task).row_bytes
    sentence = FOUND_BYTES if kind == "contextualized" else SENTENCE_BYTES
    return sentence * (2 if _in_pairs(params, task, kind) else 1)


def _in_pairs(params: Params, task: str, kind: str) -> bool:
    """Whether a textbook of sentences of the corpus has pairs of them."""
    pairs = params.textbooks.contextualized.pairs if len(params.task(task).text) == 2 else None
    return pairs == "overlap" or (pairs == "anchor" and kind == "contextualized")
