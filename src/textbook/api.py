"""The method as three functions for notebooks: a textbook, a student, and the student adapted to its task.

```python
from textbook import adapt, contextualize, distill

book = contextualize(sentences, general, evaluation=validation_sentences)
student = distill("teacher", book, "distilled")
best = adapt(student, sentences, labels, "student", validation=(validation_sentences, validation_labels))
```

Each takes lists of texts, where a text is a string or a pair of strings, and folders of Hugging Face models. The stages
of the pipeline call the same functions of the library. Settings have the names and meanings that they have in
`params.yaml`, are checked in the same way, and have the values of the quickstart as defaults (`textbook.defaults`).
"""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from textbook.adaptation.adapt import adapt_encoder
from textbook.corpus.merge import write_corpus
from textbook.corpus.sentences import keep_within, split_sentences
from textbook.corpus.shards import corpus_hash, read_shards
from textbook.defaults import check_setting_names, fill_section
from textbook.errors import UserError
from textbook.files import atomic_write, copy_folder
from textbook.models.encoder import check_relation_heads, check_supported, load_config, load_encoder, load_tokenizer
from textbook.models.student import make_student
from textbook.params import Adapt, Contextualized, Corpus, Distill, Index, Student, Task, Textbooks
from textbook.params_file import (
    check_section,
    repetition_problems,
    shape_problems,
    snapshot_problems,
    task_problems,
)
from textbook.retrieval.engines import build_index, open_index
from textbook.retrieval.stop_words import read_stop_words
from textbook.tasks.prepare import prepare_task
from textbook.tasks.splits import TRAIN, VALIDATION, sentences
from textbook.textbooks.book import read_book
from textbook.textbooks.leaks import LeakFilter
from textbook.textbooks.selection import select_sentences, write_selection
from textbook.training.distillation.distill import distill as distill_pair
from textbook.training.distillation.learner import RATE
from textbook.training.distillation.pair import load_pair
from textbook.training.engine.checks import check_finite
from textbook.training.engine.device import best_devices
from textbook.training.engine.log import Log, log_to_file, silent
from textbook.training.engine.tokens import tokenize

Texts = Sequence[str] | Sequence[tuple[str, str]]
"""Sentences, or pairs of sentences."""
_COLUMNS = {1: ["sentence"], 2: ["sentence1", "sentence2"]}


def contextualize(task: Texts, general: Iterable[str], *, evaluation: Texts = (), **settings: Any) -> Texts:
    """Make the textbook of a task: the sentences of general text that are most relevant to its texts.

    Args:
        task: the training texts of the task.
        general: general text, which is split into sentences. Equal sentences count once.
        evaluation: texts on which the student will be evaluated. Sentences that repeat one of them are left out.
        settings: settings of the sections `corpus` (`language`, `min_words`, …), `index` (`engine`, `k1`, `b`) and
            `textbooks` (`leak_ngram`), and of `textbooks.contextualized` (`k`, `budget`, `pairs`, `phrases`, `blend`).

    Returns:
        Sentences, the most relevant first; for a task of pairs, pairs, unless `pairs` is None.

    Raises:
        UserError: a setting or a text is wrong, or no sentence is left.
    """
    name = "contextualize"
    sections = (Corpus, Index, Textbooks, Contextualized)
    check_setting_names(name, settings, *sections)
    bounds, ranking = fill_section(name, settings, Corpus), fill_section(name, settings, Index)
    selection, books = fill_section(name, settings, Contextualized), fill_section(name, settings, Textbooks)
    anchors = _table("task", task)
    leaks = LeakFilter(sentences(_table("evaluation", evaluation)) if len(evaluation) else [], books.leak_ngram)
    stop_words = read_stop_words(bounds.language)
    with TemporaryDirectory() as temporary:
        corpus, index, book = (Path(temporary) / part for part in ("corpus", "index", "book.parquet"))
        source = Path(temporary) / "general.parquet"
        pq.write_table(_sentences(general, bounds), source)
        write_corpus({"general": source}, corpus, near=bounds.near_duplicates)
        build_index(read_shards(corpus), index, ranking, corpus_hash(corpus))
        selected = select_sentences(open_index(index, corpus_hash(corpus)), corpus, anchors, selection, stop_words)
        write_selection(selected, corpus, leaks, book)
        first, second = read_book(book)
    return first if second is None else list(zip(first, second, strict=True))


def distill(
    teacher: Path | str,
    book: Texts,
    target: Path | str,
    *,
    student: Path | str | None = None,
    work: Path | str | None = None,
    log: Log = silent,
    **settings: Any,
) -> Path:
    """Distil a teacher into a small student on a textbook (MiniLMv2's relations), on all devices of this machine.

    Args:
        teacher: a Hugging Face folder of an encoder, fine-tuned on the task or not, with its tokenizer.
        book: the textbook, such as that of `contextualize`; the most relevant texts come first.
        target: gets the student as a Hugging Face folder with the teacher's tokenizer, and `history.jsonl`: the loss
            and the speed by step. With `snapshots`, `target/snapshots` has the student after these steps.
        student: a Hugging Face folder to start from, such as a student of an earlier call. None: random weights in
            the shape that `layers`, `hidden`, `heads` and `intermediate` give.
        work: a folder for this call only. If the call is killed, the same call resumes from the last checkpoint in it.
            None: a killed call starts again.
        log: called every few steps with the step and its figures, such as `loss` and `tokens_per_second`.
        settings: settings of the section `distill` (`steps`, `batch`, `lr`, …) and, without `student`, of the section
            `student`.

    Returns:
        `target`.

    Raises:
        UserError: a setting or a text is wrong, models and settings do not fit together, or a loss is not finite.
    """
    name = "distill"
    check_setting_names(name, settings, *([Student, Distill] if student is None else [Distill]))
    shape, how = fill_section(name, settings, Student), fill_section(name, settings, Distill)
    problems = snapshot_problems(how)
    if student is None:
        problems += shape_problems("student", shape, how.relation_heads)
    _refuse(name, problems)
    teacher, target = Path(teacher), Path(target)
    config, tokenizer = load_config(teacher), load_tokenizer(teacher)
    check_supported(config)
    check_relation_heads(config.hidden_size, how.relation_heads, "teacher")
    start = make_student(shape, config, how.seed) if student is None else load_encoder(Path(student))
    columns = [column.to_pylist() for column in _table("book", book).columns]
    tokens = tokenize(tokenizer, columns[0], columns[1] if len(columns) == 2 else None, how.max_length)
    devices = best_devices()
    pair = load_pair(teacher, start, how, devices[0].dtype)
    with TemporaryDirectory() as temporary, atomic_write(target) as folder:
        kept = Path(work or temporary)
        kept.mkdir(parents=True, exist_ok=True)
        distill_pair(
            pair,
            tokens.head(how.top_percent),
            how,
            devices=devices,
            log=log_to_file(kept / "history.jsonl", then=log),
            checkpoints=kept / "checkpoints" if work else None,
            snapshots=kept / "snapshots",
        )
        check_finite(start.state_dict(), name, RATE, how.lr)
        start.save_pretrained(folder)
        for step in how.snapshots:
            copy_folder(kept / "snapshots" / f"{step:08}", folder / "snapshots" / f"{step:08}")
            tokenizer.save_pretrained(folder / "snapshots" / f"{step:08}")
        tokenizer.save_pretrained(folder)
        shutil.copy(kept / "history.jsonl", folder)
    return target


def adapt(
    encoder: Path | str,
    texts: Texts,
    labels: Sequence[Any],
    target: Path | str,
    *,
    validation: tuple[Texts, Sequence[Any]] | None = None,
    holdout: int | float = 0.1,
    scale: tuple[float, float] | None = None,
    metrics: Sequence[str] | None = None,
    teacher: Path | str | None = None,
    **settings: Any,
) -> Path:
    """Fine-tune an encoder on a labelled task with each of `seeds`, and keep the best one on validation data.

    The encoder is a distilled student, or a pretrained model that is to become a teacher (usually with a smaller `lr`,
    such as 5e-5).

    Args:
        encoder: a Hugging Face folder.
        texts: the training texts. Those that are also in the validation data are left out.
        labels: their classes (text, integers or booleans), or numbers if there is a `scale`.
        target: gets the best model as a Hugging Face folder, which `transformers.pipeline("text-classification",
            target)` loads; `result.json` with the metrics of each seed (from -1 or 0 to 1); for each seed
            `history-<seed>.jsonl`, the loss and the metrics by epoch; and `predictions.parquet`, the outputs on
            the validation data.
        validation: validation texts and their labels. None: `holdout` of the training data.
        holdout: a number of rows, or a share of them.
        scale: the lowest and the highest label of a regression. None: the task is a classification.
        metrics: the first one selects the best seed: `accuracy`, `f1`, `macro_f1`, `matthews`; on a scale `pearson`,
            `spearman`. None: accuracy, or both correlations.
        teacher: the Hugging Face folder of a fine-tuned classifier whose tokenizer is used, and whose predictions are
            learnt with `targets="teacher"` or `"both"`; it must answer with the same labels. None: the tokenizer is
            that of `encoder`.
        settings: settings of the section `adapt`.

    Returns:
        `target`.

    Raises:
        UserError: a setting, a text or a label is wrong, the model cannot read the texts, or a loss is not finite.
    """
    name = "adapt"
    check_setting_names(name, settings, Adapt)
    how = fill_section(name, settings, Adapt)
    _refuse(name, repetition_problems({"adapt.seeds": how.seeds}))
    encoder, target = Path(encoder), Path(target)
    splits = {TRAIN: _labelled("texts", texts, labels)}
    if validation is not None:
        splits[VALIDATION] = _labelled("validation", *validation)
    task = _task(name, splits, holdout if validation is None else None, scale, metrics)
    if how.targets != "gold":
        task = _as_teacher(name, task, how.targets, teacher)
    with TemporaryDirectory() as temporary:
        source, data = Path(temporary) / "lists", Path(temporary) / "task"
        source.mkdir()
        data.mkdir()
        for split, table in splits.items():
            pq.write_table(table, source / f"{split}.parquet")
        task = prepare_task(name, task, source, data).task
        adapt_encoder(Path(teacher or encoder), data, task, how, lambda _seed, _folder: encoder, target)
    return target


def _task(
    name: str,
    splits: dict[str, pa.Table],
    holdout: int | float | None,
    scale: tuple[float, float] | None,
    metrics: Sequence[str] | None,
) -> Task:
    """The task over prepared lists; of a classification, the classes are the distinct labels in their order."""
    raw: dict[str, Any] = {"asset": "lists", "text": splits[TRAIN].column_names[:-1], "label": "label"}
    if scale is None:
        distinct = sorted({label for table in splits.values() for label in table["label"].drop_null().to_pylist()})
        if any(isinstance(label, float) for label in distinct):
            raise UserError(f"{name}: the labels are numbers: give their `scale`, such as (0, 5), or use integers")
        raw["labels"] = [str(label) for label in distinct]
    else:
        raw["scale"] = [float(bound) for bound in scale]
    if metrics is not None:
        raw["metrics"] = list(metrics)
    if holdout is not None:
        raw["holdout"] = holdout
    task = check_section(Task, raw, name)
    _refuse(name, task_problems(task))
    return task


def _as_teacher(name: str, task: Task, targets: str, teacher: Path | str | None) -> Task:
    """The task with its classes in the order of the teacher's outputs, so that its predictions can be targets.

    Raises:
        UserError: there is no teacher, or it answers with other labels.
    """
    if teacher is None:
        raise UserError(f"{name}: targets = {targets!r}: needs `teacher`, whose predictions are targets")
    answers = list(load_config(Path(teacher)).id2label.values())
    if task.labels is None:
        if len(answers) != 1:
            raise UserError(f"{name}: {teacher} answers with {', '.join(answers)}: must answer with a number")
        return task
    if sorted(answers) != sorted(task.labels):
        raise UserError(f"{name}: {teacher} answers with {', '.join(answers)}: must be {', '.join(task.labels)}")
    return task.model_copy(update={"labels": answers})


def _sentences(general: Iterable[str], bounds: Corpus) -> pa.Table:
    """The sentences of general text that are within the bounds.

    Raises:
        UserError: there are none.
    """
    texts = [] if isinstance(general, str) else general
    split = [sentence for text in texts for sentence in split_sentences(text, bounds.language)]
    kept = keep_within(pa.array(split, pa.string()), bounds)
    if not len(kept):
        raise UserError(
            f"general: must be texts with sentences of {bounds.min_words} to {bounds.max_words} words; has none"
        )
    return pa.table({"sentence": kept})


def _table(argument: str, texts: Texts) -> pa.Table:
    """Texts as the columns of a prepared task.

    Raises:
        UserError: there are none, or one is empty or neither a string nor a pair of strings.
    """
    if isinstance(texts, str):
        raise UserError(f"{argument}: must be a list of texts, not one text")
    rows = [tuple(text) if isinstance(text, tuple | list) else (text,) for text in texts]
    if not rows:
        raise UserError(f"{argument}: has no texts: must have at least one")
    width = len(rows[0])
    for number, row in enumerate(rows):
        if width not in _COLUMNS or len(row) != width:
            raise UserError(f"{argument}[{number}]: must be a string, or a pair of strings, like the other texts")
        if not all(isinstance(text, str) and text.strip() for text in row):
            raise UserError(f"{argument}[{number}] = {row}: must be text, and not empty")
    columns = zip(_COLUMNS[width], zip(*rows, strict=True), strict=True)
    return pa.table({column: pa.array(values, pa.string()) for column, values in columns})


def _labelled(argument: str, texts: Texts, labels: Sequence[Any]) -> pa.Table:
    """Texts and labels as a table.

    Raises:
        UserError: they are not equally many, or the labels have no common type.
    """
    if len(texts) != len(labels):
        raise UserError(f"{argument}: has {len(texts)} texts and {len(labels)} labels: must have as many of both")
    try:
        column = pa.array(list(labels))
    except pa.ArrowException as error:
        raise UserError(f"{argument}: the labels must all be text, integers, booleans or numbers ({error})") from None
    return _table(argument, texts).append_column("label", column)


def _refuse(function: str, problems: Sequence[str]) -> None:
    """Raise an error with all problems, if there are any."""
    if problems:
        raise UserError("; ".join(f"{function}: {problem}" for problem in problems))
