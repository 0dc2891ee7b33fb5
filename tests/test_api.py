"""The Python API: from lists of strings and a teacher's folder to a student that transformers loads."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from transformers import pipeline

import textbook
from conftest import BAD, GOOD, make_reviews, make_sentences
from textbook.defaults import DEFAULTS
from textbook.errors import UserError
from textbook.files import read_json
from textbook.models.classifier import load_classifier, read_classifier
from textbook.models.encoder import load_encoder, load_tokenizer
from textbook.params import Adapt, Contextualized, Corpus, Distill, Index, Student, Textbooks
from textbook.training.engine.log import read_history

pytestmark = pytest.mark.usefixtures("one_thread")

ROOT = Path(__file__).parents[1]
SENTENCES, LABELS = map(list, zip(*make_reviews(120, seed=0), strict=True))
CLASSES = [("bad", "good")[label] for label in LABELS]
GENERAL = make_sentences(300, seed=1)
SHAPE = {"layers": 1, "hidden": 16, "heads": 4, "intermediate": 32, "relation_heads": 4}
SHORT = {"max_length": 32, "batch": 16}


@pytest.fixture(scope="module")
def student(tiny_teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student that was distilled on a textbook for a few steps."""
    book = textbook.contextualize(SENTENCES, GENERAL, k=3)
    folder = tmp_path_factory.mktemp("api") / "distilled"
    return textbook.distill(tiny_teacher, book, folder, steps=30, snapshots=[20], lr=5e-3, **SHAPE, **SHORT)


def test_importing_the_package_imports_no_model_library() -> None:
    code = """
import sys, textbook
assert not {"torch", "transformers", "numpy"} & set(sys.modules), "import textbook is not cheap"
assert textbook.adapt.__module__ == "textbook.api" and "torch" in sys.modules
try:
    textbook.nonsense
except AttributeError as error:
    print(error)
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.stdout == "module 'textbook' has no attribute 'nonsense'\n", process.stderr


def test_defaults_are_those_of_the_shipped_parameters() -> None:
    shipped = YAML(typ="safe").load(ROOT / "profiles" / "default.yaml")
    sections = {
        Corpus: shipped["corpus"],
        Index: shipped["index"],
        Textbooks: shipped["textbooks"],
        Contextualized: shipped["textbooks"]["contextualized"],
        Student: shipped["student"],
        Distill: shipped["distill"],
        Adapt: shipped["adapt"],
    }
    assert set(DEFAULTS) == set(sections)
    for section, defaults in DEFAULTS.items():
        assert defaults == {name: sections[section][name] for name in defaults}
    assert set(sections[Distill]) - set(DEFAULTS[Distill]) == {"init", "teacher", "textbook", "second"}
    assert set(sections[Adapt]) == set(DEFAULTS[Adapt])


def test_a_textbook_has_the_relevant_sentences_first_and_none_of_the_evaluation_data() -> None:
    about_music = [f"the orchestra played music number {number} very well" for number in range(20)]
    general = [*GENERAL, *about_music]
    book = textbook.contextualize(["which orchestra played music"], general, k=5)
    assert len(book) == 5
    assert set(book) <= set(about_music)
    held_out = textbook.contextualize(["which orchestra played music"], general, evaluation=book[:2], k=5)
    assert held_out == book[2:]


def test_a_text_of_several_sentences_is_split_and_bounds_apply() -> None:
    general = ["The film is a story of music. It was very good. The plot of the film is a warm story."]
    book = textbook.contextualize(["a film with a story"], general, min_words=5)
    assert sorted(book) == ["The film is a story of music.", "The plot of the film is a warm story."]


def test_a_task_of_pairs_has_a_textbook_of_pairs() -> None:
    pairs = list(zip(SENTENCES[:60], SENTENCES[60:], strict=True))
    book = textbook.contextualize(pairs, GENERAL, k=5, evaluation=[("the very first", "and the second")])
    assert len(book) > 20
    assert all(len(pair) == 2 and all(isinstance(text, str) for text in pair) for pair in book)
    assert all(isinstance(text, str) for text in textbook.contextualize(pairs, GENERAL, k=5, pairs=None))


def test_a_student_has_its_shape_the_teachers_tokenizer_and_snapshots(student: Path, tiny_teacher: Path) -> None:
    config = load_encoder(student).config
    assert (config.num_hidden_layers, config.hidden_size, config.intermediate_size) == (1, 16, 32)
    assert load_tokenizer(student).get_vocab() == load_tokenizer(tiny_teacher).get_vocab()
    load_encoder(student / "snapshots" / "00000020")
    losses = [line["loss"] for line in read_history(student / "history.jsonl")]
    assert len(losses) == 3
    assert losses[-1] < losses[0]


def test_a_killed_distillation_resumes_and_a_student_can_be_distilled_further(
    tiny_teacher: Path, student: Path, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"student": student, "steps": 20, "relation_heads": 4, **SHORT}
    whole = textbook.distill(tiny_teacher, GENERAL, tmp_path / "whole", **settings)

    def interrupt(step: int, _figures: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        textbook.distill(tiny_teacher, GENERAL, tmp_path / "resumed", work=tmp_path / "w", log=interrupt, **settings)
    assert not (tmp_path / "resumed").exists()
    resumed = textbook.distill(tiny_teacher, GENERAL, tmp_path / "resumed", work=tmp_path / "w", **settings)
    weights, others = (load_encoder(folder).state_dict() for folder in (whole, resumed))
    assert all(weight.equal(others[name]) for name, weight in weights.items())


def test_an_adapted_student_answers_with_the_labels(student: Path, tmp_path: Path) -> None:
    best = textbook.adapt(student, SENTENCES, CLASSES, tmp_path / "student", holdout=30, lr=5e-3, epochs=12, **SHORT)
    result = read_json(best / "result.json")
    assert result["seeds"] == [0, 1]
    assert max(run["accuracy"] for run in result["runs"]) > 0.8
    classify = pipeline("text-classification", str(best), device="cpu")
    answers = [classify(f"the film is very {word} 1")[0]["label"] for word in (*GOOD, *BAD)]
    assert answers == ["good"] * 3 + ["bad"] * 3


def test_labels_can_be_integers_booleans_or_numbers_on_a_scale(student: Path, tmp_path: Path) -> None:
    short: dict[str, Any] = {"epochs": 1, "seeds": [0], **SHORT}
    validation = SENTENCES[:40]
    labels = {"integers": LABELS, "booleans": [label == 1 for label in LABELS]}
    outputs = {"integers": {0: "0", 1: "1"}, "booleans": {0: "False", 1: "True"}}
    for kind, values in labels.items():
        folder = textbook.adapt(
            student, SENTENCES[40:], values[40:], tmp_path / kind, validation=(validation, values[:40]), **short
        )
        assert load_classifier(folder, list(outputs[kind].values()), 0).config.id2label == outputs[kind]
    numbers = [float(5 * label) for label in LABELS]
    folder = textbook.adapt(student, SENTENCES, numbers, tmp_path / "numbers", scale=(0, 5), **short)
    assert set(read_json(folder / "result.json")["runs"][0]) >= {"pearson", "spearman"}


def test_a_teacher_can_be_fine_tuned_and_its_predictions_learnt(
    tiny_teacher: Path, student: Path, tmp_path: Path
) -> None:
    short: dict[str, Any] = {"seeds": [0], "epochs": 1, **SHORT}
    teacher = textbook.adapt(tiny_teacher, SENTENCES, CLASSES, tmp_path / "teacher", **short)
    model = read_classifier(teacher)
    model.config.id2label, model.config.label2id = {0: "good", 1: "bad"}, {"good": 0, "bad": 1}
    model.save_pretrained(teacher)
    short |= {"teacher": teacher, "targets": "teacher"}
    best = textbook.adapt(student, SENTENCES, CLASSES, tmp_path / "student", **short)
    assert read_classifier(best).config.id2label == {0: "good", 1: "bad"}  # the order of the teacher's outputs
    with pytest.raises(UserError, match=r"/teacher answers with good, bad: must be 0, 1$"):
        textbook.adapt(student, SENTENCES, LABELS, tmp_path / "other", **short)
    with pytest.raises(UserError, match=r"/teacher answers with good, bad: must answer with a number$"):
        textbook.adapt(student, SENTENCES, [0.5] * 120, tmp_path / "other", scale=(0, 1), **short)


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        ((["a text"], GENERAL), {"k": 0}, "^contextualize: k = 0: should be greater than 0$"),
        ((["a text"], GENERAL), {"size": 0}, "^contextualize: size is not a setting; settings are language, min_words"),
        ((["a text"], GENERAL), {"budget": {"unit": "pages", "size": 3}}, "^contextualize: budget.unit = 'pages': "),
        ((["a text"], GENERAL), {"pairs": "all"}, "^contextualize: pairs = 'all': must be null, anchor or overlap"),
        ((["a text", " "], GENERAL), {}, r"^task\[1\] = \(' ',\): must be text, and not empty$"),
        ((["a text", ("a", "b")], GENERAL), {}, r"^task\[1\]: must be a string, or a pair of strings, like the other"),
        (("a text", GENERAL), {}, "^task: must be a list of texts, not one text$"),
        (([], GENERAL), {}, "^task: has no texts: must have at least one$"),
        ((["a text"], "general text"), {}, "^general: must be texts with sentences of 4 to 64 words; has none$"),
    ],
)
def test_contextualize_refuses_in_one_line(arguments: Any, settings: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        textbook.contextualize(*arguments, **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr": -1.0}, "^distill: lr = -1.0: should be greater than 0$"),
        (
            {"init": "general"},
            "^distill: init is not a setting; settings are layers, hidden, heads, interm",
        ),
        ({"heads": 5}, "^distill: student.hidden = 192: must be a multiple of student.heads = 5$"),
        ({}, "^distill.relation_heads = 24: must divide the teacher's hidden size 32"),
        ({"relation_heads": 4, "hidden": 18, "heads": 2}, "^distill: distill.relation_heads = 4: must divide student"),
        ({"snapshots": [5], "steps": 4}, "^distill: distill.snapshots = 5: must not exceed distill.steps = 4$"),
        ({"student": "here", "layers": 2}, "^distill: layers is not a setting; settings are top_percent"),
    ],
)
def test_distill_refuses_in_one_line(tiny_teacher: Path, tmp_path: Path, settings: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        textbook.distill(tiny_teacher, GENERAL, tmp_path / "student", **settings)


@pytest.mark.parametrize(
    ("labels", "settings", "message"),
    [
        (CLASSES, {"seeds": [1, 1]}, r"^adapt: adapt.seeds = \[1, 1\]: must name each value once$"),
        (CLASSES, {"targets": "both"}, r"^adapt: targets = 'both': needs `teacher`, whose predictions are targets$"),
        (CLASSES, {"seed": 1}, "^adapt: seed is not a setting; settings are targets, weight"),
        (CLASSES, {"metrics": ["pearson"]}, r"^adapt: metrics = \['pearson'\]: 'pearson' is not one of accuracy"),
        (CLASSES, {"holdout": 2.0}, "^adapt: holdout = 2.0: "),
        (CLASSES[:-1], {}, "^texts: has 120 texts and 119 labels: must have as many of both$"),
        (["good", *LABELS[1:]], {}, "^texts: the labels must all be text, integers, booleans or numbers"),
        ([*CLASSES[:-1], None], {}, r"row 119: label \(missing\) is not one of bad, good or 0 to 1$"),
        ([0.5] * 120, {}, r"^adapt: the labels are numbers: give their `scale`, such as \(0, 5\), or use"),
        ([0.5] * 120, {"scale": (1, 5)}, "label 0.5 is not a number from 1 to 5$"),
        (["good"] * 120, {}, r"^adapt: labels = \['good'\]: "),
    ],
)
def test_adapt_refuses_in_one_line(
    tiny_teacher: Path, tmp_path: Path, labels: Any, settings: Any, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        textbook.adapt(tiny_teacher, SENTENCES, labels, tmp_path / "student", **settings)
    assert not (tmp_path / "student").exists()
