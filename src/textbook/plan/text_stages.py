"""What the stages take that fetch files and work on text."""

from collections.abc import Mapping

from textbook.params import Params
from textbook.plan.cost import CHECKED, LIGHT, TEXT, Cost, Project, StageCost
from textbook.plan.sizes import (
    BOOK_SHARE,
    CORPUS_SHARE,
    INDEX_SHARE,
    TASK_SHARE,
    anchors,
    book_row_bytes,
    book_sentences,
    corpus_bytes,
    known,
    rows_of,
    shape_of,
)
from textbook.plan.training import FILLING, WEIGHT_BYTES, predicting

FETCH = 20e6  # bytes a second of a download, assumed
UNPACK = 60e6  # bytes a second that are unpacked, hashed and moved into DVC's cache

# Seconds of one core for a megabyte of text, unless said otherwise.
SPLIT = 0.1
MERGE = 0.015
NEAR = 0.2  # more for the search for near-duplicates
CHECK = 0.06  # Great Expectations
INDEX = 0.1
SEARCH = 1e-6  # for each anchor: the index is read once, and its windows are searched for all anchors
QUERY = 1e-4  # for an anchor: RAKE, and merging its hits
BOOK = 0.55  # of a contextualized textbook: leaks, expectations, vocabularies
SAMPLE = 0.4  # of a general textbook
PAIR = {"general": 1.6e-4, "contextualized": 3.3e-4}  # for a pair like the task's: its second text is found or written
VARIANT = 1e-4  # for a row of an augmented textbook
ANALYSE = 0.5  # of all textbooks: words and distinct n-grams

# Seconds, however much text there is.
REPORT = 6.5  # of the checks of a corpus or a textbook
RAY = 6.0  # until Ray runs the parts side by side

SHARD = 64 << 20  # bytes of a part that one core works on
MOST_MEMORY, LEAST_MEMORY = 3e9, 0.45e9  # while text is worked on
MEMORY_SHARE = 5.5  # bytes of memory for each byte of text between these bounds
SEARCH_SHARE = 1.2  # the same for a search
FOUND_MEMORY = 20  # bytes for each distinct sentence retrieved
WORDS = 0.09  # words of a byte of text that are eligible and one token, so that a masked language model is asked


def _light(project: Project, _item: str) -> Cost:
    return Cost(project.seconds(LIGHT))


def _local(project: Project, item: str) -> Cost:
    """An asset that is used in place: it is hashed once."""
    return Cost(project.seconds(LIGHT) + known(project.facts.assets.get(item)) / UNPACK / project.rates.pace)


def _fetched(project: Project, item: str) -> Cost:
    size = known(project.facts.assets.get(item))
    return Cost(project.seconds(LIGHT) + size / FETCH + size / UNPACK / project.rates.pace, size, size)


def _sentences(project: Project, item: str) -> Cost:
    size = known(project.facts.sources.get(item))
    text = _side_by_side(project, SPLIT * size / 1e6, size)
    return Cost(project.seconds(TEXT, text), CORPUS_SHARE * size, memory=_text_memory(SHARD))


def _corpus(project: Project, _item: str) -> Cost:
    size = corpus_bytes(project.facts)
    text = (MERGE + CHECK + (NEAR if project.params.corpus.near_duplicates else 0.0)) * size / 1e6
    return Cost(project.seconds(CHECKED + REPORT, text), CORPUS_SHARE * size, CORPUS_SHARE * size, _text_memory(size))


def _index(project: Project, _item: str) -> Cost:
    size = corpus_bytes(project.facts)
    text = _side_by_side(project, INDEX * size / 1e6, size)
    return Cost(project.seconds(TEXT, text), INDEX_SHARE * size, INDEX_SHARE * size, _text_memory(size))


def _side_by_side(project: Project, seconds: float, size: float) -> float:
    """Seconds of work on this many bytes of text; of several parts, each core works on its own."""
    cores = min(float(project.rates.cores), max(1.0, size / SHARD))
    return seconds if cores == 1 else RAY + seconds / cores


def _text_memory(size: float, share: float = MEMORY_SHARE) -> float:
    """Bytes of memory while this many bytes of text are worked on."""
    return min(MOST_MEMORY, LEAST_MEMORY + share * size)


def _task(project: Project, item: str) -> Cost:
    rows = rows_of(project.facts, item)
    text = (rows.train + rows.validation) * rows.row_bytes
    return Cost(project.seconds(CHECKED, CHECK * text / 1e6), TASK_SHARE * text, memory=LEAST_MEMORY + 8 * text)


def _contextualized(project: Project, item: str) -> Cost:
    params, facts = project.params, project.facts
    texts = anchors(rows_of(facts, item), params.task(item))
    whole = corpus_bytes(facts)
    book = _book_bytes(project, item, "contextualized")
    search = (SEARCH * texts * whole / 1e6 + QUERY * texts) / project.rates.cores
    found = book_sentences(params, facts, item, "contextualized")
    return Cost(
        project.seconds(CHECKED + REPORT, search + BOOK * book / 1e6 + _pairing(project, item, "contextualized")),
        BOOK_SHARE * book,
        memory=_text_memory(whole, SEARCH_SHARE) + FOUND_MEMORY * found,
    )


def _general(project: Project, item: str) -> Cost:
    book = _book_bytes(project, item, "general")
    text = SAMPLE * book / 1e6 + _pairing(project, item, "general")
    return Cost(project.seconds(CHECKED + REPORT, text), BOOK_SHARE * book, memory=_text_memory(book))


def _pairing(project: Project, task: str, kind: str) -> float:
    """Seconds of one core in which the pairs of a textbook are made like those of its task."""
    params = project.params
    if params.textbooks.contextualized.pairs != "overlap" or not project.is_pair(task):
        return 0.0
    return PAIR[kind] * book_sentences(params, project.facts, task, kind)


def _book_bytes(project: Project, task: str, kind: str) -> float:
    params, facts = project.params, project.facts
    return book_sentences(params, facts, task, kind) * book_row_bytes(params, facts, task, kind)


def _augmented(project: Project, item: str) -> Cost:
    params, facts = project.params, project.facts
    settings, rows = params.textbooks.augmented[item], rows_of(facts, item)
    shape = shape_of(facts, settings.masked_lm)
    words = min(rows.train, settings.varied or rows.train) * rows.row_bytes * WORDS
    doubled = 2 * rows.tokens(shape.positions // 2)  # the masked sentence and the original
    predict = predicting(shape, words, doubled, FILLING)
    book = book_sentences(params, facts, item, "augmented")
    size = _book_bytes(project, item, "augmented")
    cost = Cost(project.seconds(CHECKED, VARIANT * book, predict), BOOK_SHARE * size)
    read = WEIGHT_BYTES * shape.weights + 4 * settings.batch * doubled * 8 * shape.intermediate_size
    return project.trained(cost, predict, read)


def _analysis(project: Project, _item: str) -> Cost:
    tasks = project.params.tasks
    size = sum(_book_bytes(project, task, kind) for task in tasks for kind in _kinds(project.params, task))
    return Cost(project.seconds(CHECKED, ANALYSE * size / 1e6), memory=LEAST_MEMORY + size)


def _kinds(params: Params, task: str) -> list[str]:
    """The textbooks of a task."""
    return ["general", "contextualized", *(["augmented"] if task in params.textbooks.augmented else [])]


TEXT_STAGES: Mapping[str, StageCost] = {
    "params": _light,
    "wheel": _fetched,
    "archive": _fetched,
    "path": _local,
    "hub": _fetched,
    "url": _light,
    "folder": _light,
    "dataset": _fetched,
    "sentences": _sentences,
    "corpus": _corpus,
    "index": _index,
    "task": _task,
    "contextualized": _contextualized,
    "general": _general,
    "augmented": _augmented,
    "two_stage": _light,
    "analysis": _analysis,
    "metrics": _light,
}
"""The stages of this module, by their names without an item."""
