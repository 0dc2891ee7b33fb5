"""What training takes: operations, updates of weights, and memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from textbook.models.flops import encoder_flops, flops_to_qkv
from textbook.params import Adapt, FineTuning, MaskedLmAsset, Params, Student
from textbook.plan.rates import Rates
from textbook.plan.sizes import SENTENCE_BYTES, Rows, Shape, text_tokens

# A model of hidden size h reaches h / (h + HALF) of these shares of the rate of matrix products: what it does besides
# grows with h, and its products with the square of h. From the stages of the shipped example, of sizes 192 and 384.
HALF = 283
TRAINING = 0.80  # of fine-tuning: forward and backward passes
LEARNING = 0.55  # of a student in distillation; its relations are not counted as operations
READING = 0.90  # of forward passes in batches
TEACHING = 1.00  # of the teacher's in distillation, up to the layer that is read
FILLING = 1.30  # of those of masked words, whose weights are packed for the processor (`use_onednn`)
ALONE = 0.30  # of forward passes over one short text at a time
ON_GPU = 0.3  # the share of all on a GPU, assumed
BACKWARD = 3  # times the operations of a forward pass, for forward and backward
WEIGHT_BYTES = 4
STATE_BYTES = 16  # of a weight in training: the weight, its gradient, and two moments of AdamW
CHECKPOINT_BYTES = 12  # of a weight in a checkpoint; while one is written, there are two
BASE_MEMORY = 0.7e9  # of a process that has imported PyTorch and transformers
GPU_BASE = 0.5e9  # of CUDA's context
POSITIONS = 512  # of a student
WARM = 1.3  # passes over a text that is timed: see `textbook.evaluation.cost`
READ_OF_LARGE = 20  # of the 24 layers of a large teacher: 19 or 21
MASKED = 0.15  # of the tokens, which a masked language model predicts


@dataclass(frozen=True)
class Training:
    """The work of a training run or of several."""

    flops: float
    at_peak: float
    """Operations that a CPU would do in the same time at its rate of matrix products."""
    updated: float = 0.0
    """Weights updated, over all steps."""

    def seconds(self, rates: Rates) -> float:
        """The time on a machine."""
        at_peak = self.flops / ON_GPU if rates.gpus else self.at_peak
        return at_peak / rates.flops + self.updated * rates.update


def _work(shape: Shape, flops: float, best: float, updated: float = 0.0) -> Training:
    """Work of a model; `best` is the share of the rate of matrix products that a wide one reaches on a CPU."""
    share = best * shape.hidden_size / (shape.hidden_size + HALF)
    return Training(flops, flops / share, updated)


def forward(shape: Shape, tokens: float) -> float:
    """FLOPs of a forward pass over a text of `tokens` tokens on average."""
    length: Any = tokens  # the formula is for whole numbers, and holds for means
    return float(encoder_flops(shape, length))


def student_shape(student: Student, vocabulary: int) -> Shape:
    """The shape of a student. Its vocabulary has the size of its teacher's."""
    return Shape(student.layers, student.hidden, student.intermediate, vocabulary, positions=POSITIONS)


def fine_tuning(
    shape: Shape, rows: Rows, settings: FineTuning, *, pair: bool, runs: int = 1, train_words: bool = True
) -> Training:
    """Fine-tuning a classifier, which is measured on the validation rows after every epoch.

    Args:
        runs: the number of runs, one for each seed.
        train_words: train the word embeddings too.
    """
    tokens = rows.tokens(settings.max_length, pair=pair)
    seen = BACKWARD * rows.train + rows.validation
    steps = -(-rows.train // settings.batch)
    weights = shape.weights - (0 if train_words else shape.words)
    return _work(
        shape,
        runs * settings.epochs * seen * forward(shape, tokens),
        TRAINING,
        runs * settings.epochs * steps * weights,
    )


def adaptation(shape: Shape, teacher: Shape, rows: Rows, settings: Adapt, *, pair: bool) -> Training:
    """Adapting a student with every seed, on the teacher's predictions if the settings ask for them."""
    work = fine_tuning(shape, rows, settings, pair=pair, runs=len(settings.seeds))
    if settings.targets == "gold":
        return work
    return together([work, predicting(teacher, rows.train, rows.tokens(settings.max_length, pair=pair))])


def masked_words(shape: Shape, settings: MaskedLmAsset) -> Training:
    """Training an encoder to fill masked words of pairs of sentences, over the whole vocabulary."""
    tokens = text_tokens(2 * SENTENCE_BYTES, settings.max_length, pair=True)
    one = forward(shape, tokens) + MASKED * tokens * 2 * shape.words
    pairs = settings.steps * settings.batch
    return _work(shape, BACKWARD * pairs * one, TRAINING, settings.steps * shape.weights)


def predicting(shape: Shape, texts: float, tokens: float, best: float = READING) -> Training:
    """A forward pass over texts of `tokens` tokens."""
    return _work(shape, texts * forward(shape, tokens), best)


def predicting_alone(shape: Shape, texts: float, tokens: float) -> Training:
    """Forward passes over one text at a time, with those before which warm the model up."""
    return _work(shape, WARM * texts * forward(shape, tokens), ALONE)


def together(work: Sequence[Training]) -> Training:
    """Several runs, one after the other."""
    return Training(
        sum(part.flops for part in work),
        sum(part.at_peak for part in work),
        sum(part.updated for part in work),
    )


def distilling(
    params: Params, teacher: Shape, student: Shape, steps: float, tokens: float, cohort: float = 1.0
) -> Training:
    """Distilling a student.

    Args:
        tokens: those of a text on average.
        cohort: the number of students that share the pass of the teacher.
    """
    own, layers = params.distill.teacher_layer, teacher.num_hidden_layers
    layer = (READ_OF_LARGE if layers == 24 else layers) if own == "auto" else min(own, layers)
    length: Any = tokens
    texts = steps * params.distill.batch
    read = texts * float(flops_to_qkv(teacher, layer, length)) / cohort
    learned = texts * BACKWARD * float(flops_to_qkv(student, student.num_hidden_layers, length))
    return together([_work(teacher, read, TEACHING), _work(student, learned, LEARNING, steps * student.weights)])


def training_memory(trained: Shape, batch: int, length: int, *, beside: Shape | None = None) -> float:
    """Bytes of memory of one training process.

    Args:
        beside: a model that is only read.
    """
    state = STATE_BYTES * trained.weights + (WEIGHT_BYTES * beside.weights if beside else 0)
    kept = 16 * trained.hidden_size + 2 * trained.intermediate_size  # numbers a layer keeps of a token to go backward
    return state + 4.0 * batch * length * trained.num_hidden_layers * kept
