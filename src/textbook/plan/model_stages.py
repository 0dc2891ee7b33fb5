"""What the stages take that make models and measure them."""

from collections.abc import Mapping

from textbook.params import Params
from textbook.plan.cost import TOKENIZE, TORCH, Cost, Project, StageCost
from textbook.plan.sizes import (
    SENTENCE_BYTES,
    Facts,
    Shape,
    book_row_bytes,
    book_sentences,
    corpus_sentences,
    rows_of,
    shape_of,
    text_tokens,
)
from textbook.plan.training import (
    BASE_MEMORY,
    CHECKPOINT_BYTES,
    WEIGHT_BYTES,
    Training,
    adaptation,
    distilling,
    fine_tuning,
    masked_words,
    predicting,
    predicting_alone,
    together,
    training_memory,
)

FIRST, EXPORT, REGISTER = 5.0, 12.0, 4.0  # seconds for the first weights, the export to ONNX, and MLflow
RUNS = 13  # timed and warm-up runs of each shape of a batch
FITTING = 5e-4  # seconds for each training row of a linear model


def _masked_lm(project: Project, item: str) -> Cost:
    settings = project.params.assets.masked_lm[item]
    shape = shape_of(project.facts, settings.encoder)
    work = masked_words(shape, settings)
    seconds = project.seconds(TORCH, TOKENIZE * settings.sentences, work)
    cost = Cost(seconds, WEIGHT_BYTES * shape.weights, 2 * CHECKPOINT_BYTES * shape.weights)
    return project.trained(cost, work, training_memory(shape, settings.batch, settings.max_length))


def _init_random(project: Project, _item: str) -> Cost:
    student = project.student
    return Cost(project.seconds(TORCH, FIRST), WEIGHT_BYTES * student.weights, memory=BASE_MEMORY)


def _init_general(project: Project, _item: str) -> Cost:
    params, facts = project.params, project.facts
    tokens = text_tokens(SENTENCE_BYTES, params.distill.max_length)
    sentences = min(params.textbooks.general.sentences, corpus_sentences(facts))
    return _distilled(project, params.general_init.steps, tokens, sentences)


def _distill(project: Project, item: str) -> Cost:
    params, facts = project.params, project.facts
    steps, tokens, texts = lessons(params, facts, item)
    return _distilled(project, steps, tokens, texts)


def lessons(params: Params, facts: Facts, task: str, *, begun: bool = False) -> tuple[float, float, float]:
    """The steps of the section `distill` on its textbooks, the tokens of a text, and the texts to tokenise.

    Args:
        begun: the first of two textbooks is done.

    Raises:
        Unknown: the size of a textbook is not known.
    """
    settings = params.distill
    first, *second = settings.textbook.split("+")
    pair = len(params.task(task).text) == 2

    def tokens(kind: str) -> float:
        return text_tokens(book_row_bytes(params, facts, task, kind), settings.max_length, pair=pair)

    steps = total = texts = 0.0
    if not begun:
        steps, texts = float(settings.steps), book_sentences(params, facts, task, first)
        total = steps * tokens(first)
    for kind in second:
        more = book_sentences(params, facts, task, kind)
        more_steps = settings.second.epochs * more / settings.batch
        steps, total, texts = steps + more_steps, total + more_steps * tokens(kind), texts + more
    return steps, total / steps, texts


def _distilled(project: Project, steps: float, tokens: float, texts: float) -> Cost:
    """The cost of distilling one student.

    Args:
        tokens: those of a text on average.
        texts: the number of texts to tokenise.
    """
    params, rates = project.params, project.rates
    teacher, student = project.teacher, project.student
    work = distilling(params, teacher, student, steps, tokens)
    cost = Cost(
        project.seconds(TORCH, TOKENIZE * texts / rates.cores, work),
        WEIGHT_BYTES * student.weights,
        2 * CHECKPOINT_BYTES * student.weights + 4 * texts * tokens,
    )
    memory = training_memory(student, params.distill.batch, params.distill.max_length, beside=teacher)
    return project.trained(cost, work, memory)


def _teacher(project: Project, item: str) -> Cost:
    params, facts = project.params, project.facts
    shape, rows = project.teacher, rows_of(facts, item)
    trials = params.teacher.trials(item)
    works = [fine_tuning(shape, rows, trial, pair=project.is_pair(item)) for trial in trials]
    work = together(works)
    size = WEIGHT_BYTES * shape.weights
    seconds = project.seconds(TORCH, TOKENIZE * rows.train, work)
    cost = Cost(seconds, size, size * (len(trials) - 1) + 2 * CHECKPOINT_BYTES * shape.weights)
    largest = max(trial.batch for trial in trials)
    return project.trained(cost, work, training_memory(shape, largest, params.teacher.max_length))


def _adapted(project: Project, item: str) -> Cost:
    params, facts = project.params, project.facts
    teacher, student, rows = project.teacher, project.student, rows_of(facts, item)
    work = adaptation(student, teacher, rows, params.adapt, pair=project.is_pair(item))
    return _seeds(project, student, work, len(params.adapt.seeds))


def _truncated(project: Project, item: str) -> Cost:
    params, facts = project.params, project.facts
    about, rows = params.truncated_teacher, rows_of(facts, item)
    shape = project.teacher.cut(params.student.layers)
    settings = params.adapt.model_copy(update={"epochs": about.epochs})
    pair, runs = project.is_pair(item), len(about.seeds)
    work = fine_tuning(shape, rows, settings, pair=pair, runs=runs, train_words=about.train_words)
    return _seeds(project, shape, work, runs)


def _seeds(project: Project, shape: Shape, work: Training, seeds: int) -> Cost:
    """The cost of fine-tuning with several seeds, on a CPU side by side."""
    settings, size = project.params.adapt, WEIGHT_BYTES * shape.weights
    cost = Cost(project.seconds(TORCH, 0.0, work), size, size * seeds)
    beside = 1 if project.rates.gpus else min(seeds, project.rates.cores)
    memory = training_memory(shape, settings.batch, settings.max_length)
    return project.trained(cost, work, memory, processes=beside)


def _linear(project: Project, item: str) -> Cost:
    rows = rows_of(project.facts, item)
    return Cost(project.seconds(TORCH, FITTING * rows.train), memory=BASE_MEMORY)


def _majority(project: Project, _item: str) -> Cost:
    return Cost(project.seconds(TORCH), memory=BASE_MEMORY)


def _embeddings(project: Project, item: str) -> Cost:
    params, facts = project.params, project.facts
    shape, rows = project.teacher, rows_of(facts, item)
    tokens = rows.tokens(params.adapt.max_length)
    read = predicting(shape, rows.train + rows.validation, tokens)
    single = predicting_alone(shape, params.evaluate.latency_sentences, tokens)
    cost = Cost(project.seconds(TORCH, FITTING * rows.train, read) + single.seconds(project.on_cpu))
    return project.trained(cost, read, WEIGHT_BYTES * shape.weights)


def _export(project: Project, item: str) -> Cost:
    student, rows = project.student, rows_of(project.facts, item)
    tokens = rows.tokens(project.params.adapt.max_length)
    work = predicting(student, rows.validation, tokens)
    seconds = project.seconds(TORCH, EXPORT) + work.seconds(project.on_cpu)
    return Cost(seconds, student.weights + WEIGHT_BYTES, memory=BASE_MEMORY + 4 * WEIGHT_BYTES * student.weights)


def _evaluate(project: Project, item: str) -> Cost:
    """Networks are timed on the CPU: teacher, both students, the int8 model and the cut teacher."""
    params, facts = project.params, project.facts
    teacher, student, rows = project.teacher, project.student, rows_of(facts, item)
    settings, shapes = params.evaluate, (teacher, student, student, student, teacher.cut(params.student.layers))
    tokens = rows.tokens(params.adapt.max_length)
    singles = min(settings.latency_sentences, rows.validation)
    work = [predicting_alone(shape, singles, tokens) for shape in shapes]
    for shape in shapes:
        for length in settings.lengths:
            work += [
                predicting(shape, RUNS * batch, length) if batch > 1 else predicting_alone(shape, RUNS, length)
                for batch in settings.batches
            ]
    seconds = project.seconds(TORCH) + together(work).seconds(project.on_cpu)
    read = WEIGHT_BYTES * sum(shape.weights for shape in shapes)
    return Cost(seconds, memory=BASE_MEMORY + read)


def _register(project: Project, _item: str) -> Cost:
    size = WEIGHT_BYTES * project.student.weights
    return Cost(project.seconds(TORCH, REGISTER), size, memory=BASE_MEMORY + size)


MODEL_STAGES: Mapping[str, StageCost] = {
    "masked_lm": _masked_lm,
    "init_random": _init_random,
    "init_general": _init_general,
    "teacher": _teacher,
    "distill": _distill,
    "scratch": _adapted,
    "adapt": _adapted,
    "majority": _majority,
    "tfidf": _linear,
    "embeddings": _embeddings,
    "truncated_teacher": _truncated,
    "export": _export,
    "evaluate": _evaluate,
    "register": _register,
}
"""The stages of this module, by their names without an item."""
