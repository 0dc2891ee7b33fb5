"""Loading parameter files: valid files, and one-line messages for wrong keys, values and YAML."""

from pathlib import Path
from typing import Any

import pytest
from toy_params import AUGMENTED, DATA, DELETE, MASKED_LM, SHIPPED, problems_of, write_params

from textbook.errors import UserError
from textbook.names import student_name
from textbook.params_file import load_params
from textbook.profiles import profile_names, render_profile

PROFILES = SHIPPED.parent / "profiles"
PAIRING = "must be null, anchor or overlap (true is now anchor, false is null)"


def test_the_shipped_file_is_valid() -> None:
    assert load_params(SHIPPED).tasks


@pytest.mark.parametrize("name", profile_names(PROFILES))
def test_every_shipped_profile_is_valid(name: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(render_profile(name, PROFILES), encoding="utf-8")
    assert load_params(path).tasks


def test_values_of_the_file_are_loaded(tmp_path: Path) -> None:
    params = load_params(write_params(tmp_path, {"index.k1": 2, "distill.teacher_layer": 3, "tasks.mood.seed": 7}))
    assert (params.index.k1, params.distill.teacher_layer, params.task("mood").seed) == (2.0, 3, 7)
    assert params.corpus.sources["news"].where == {"section": "film"}
    assert params.task("match").text == ["a", "b"]
    assert params.task("match").holdout is None
    assert params.assets.names() == params.assets.fetched() == ["encoder", "films", "news"]


def test_a_trained_masked_lm_can_propose_words_and_be_the_teacher(tmp_path: Path) -> None:
    book = {"mood": {**AUGMENTED, "masked_lm": "filler"}}
    changes = {"assets.masked_lm.filler": MASKED_LM, "textbooks.augmented": book, "teacher.asset": "filler"}
    params = load_params(write_params(tmp_path, changes))
    assert params.assets.names() == ["encoder", "filler", "films", "news"]
    assert params.assets.fetched() == ["encoder", "films", "news"]


def test_default_metrics_depend_on_the_kind_of_task(tmp_path: Path) -> None:
    params = load_params(write_params(tmp_path, {"tasks.match.labels": DELETE, "tasks.match.scale": [0, 5]}))
    assert params.task("mood").metrics == ["accuracy"]
    assert params.task("match").metrics == ["pearson", "spearman"]
    assert (params.task("mood").outputs, params.task("match").outputs) == (["bad", "good"], ["label"])


def test_trials_of_a_teacher_are_those_of_its_task_or_the_defaults(tmp_path: Path) -> None:
    grid = {"batch": [16, 32], "lr": [1e-5, 2e-5], "epochs": 9}
    changes = {"teacher.tasks": {"mood": grid}, "teacher.batch": 8, "teacher.lr": [3e-5], "teacher.epochs": 2}
    teacher = load_params(write_params(tmp_path, changes)).teacher
    mood, match = (
        [(trial.batch, trial.lr, trial.epochs) for trial in teacher.trials(task)] for task in ("mood", "match")
    )
    assert mood == [(16, 1e-5, 9), (16, 2e-5, 9), (32, 1e-5, 9), (32, 2e-5, 9)]
    assert match == [(8, 3e-5, 2)]
    for trial in teacher.trials("mood"):
        assert (trial.warmup, trial.weight_decay, trial.max_length) == (
            teacher.warmup,
            teacher.weight_decay,
            teacher.max_length,
        )


def test_a_student_is_named_by_what_it_was_made_from() -> None:
    assert student_name("mood", "random", "task", "general") == "mood · random · task · general"
    assert student_name("mood", "random", "task", "general", 12.5) == "mood · random · task · general · top 12.5 %"


def test_each_task_has_its_own_augmented_textbook(tmp_path: Path) -> None:
    books = {"mood": AUGMENTED, "match": {**AUGMENTED, "variants": 10}}
    params = load_params(write_params(tmp_path, {"textbooks.augmented": books, "distill.textbook": "augmented"}))
    assert {name: book.variants for name, book in params.textbooks.augmented.items()} == {"mood": 20, "match": 10}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("index.k2", 1, "index.k2 is not a parameter; allowed here are engine, k1, b"),
        (
            "tasks.mood.lables",
            [],
            "tasks.mood.lables is not a parameter; allowed here are asset, files, where, delimiter, quote",
        ),
        ("assets.wheel.films.url", "x", "assets.wheel.films.url is not a parameter; allowed here are package, version"),
        ("students", {}, "students is not a parameter; allowed here are assets, corpus, tasks"),
        ("index.b", DELETE, "index.b is missing"),
        ("student", DELETE, "student is missing"),
        ("tasks.mood.label", DELETE, "tasks.mood.label is missing"),
    ],
)
def test_an_unknown_or_missing_key_is_reported(tmp_path: Path, key: str, value: Any, expected: str) -> None:
    (problem,) = problems_of(write_params(tmp_path, {key: value}))
    assert problem.startswith(expected)


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
        ("textbooks.contextualized.pairs", True, PAIRING),
        ("textbooks.contextualized.pairs", False, PAIRING),
        ("textbooks.contextualized.pairs", "anchors", PAIRING),
        ("textbooks.contextualized.pairs", ["overlap"], PAIRING),
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
        ("corpus.near_duplicates", {"threshold": 0.4, "words": 2, "hashes": 128}, "greater than or equal to 0.5"),
        ("corpus.near_duplicates", True, "should be a valid dictionary"),
        ("assets.url.web", {"url": "/data/web"}, "should match pattern"),
        ("assets.wheel.films.sha256", "abc", "should match pattern '^[0-9a-f]{64}$'"),
        ("tasks.mood.text", ["a", "b", "c"], "at most 2 items"),
        ("tasks.mood.labels", ["good"], "at least 2 items"),
        ("tasks.mood.holdout", 0, "should be greater than 0"),
        ("tasks", {}, "at least 1 item"),
        ("corpus.sources.news.where", {"section": None}, "should be a valid boolean or should be a valid integer or"),
        ("corpus.sources.news.where", {"section": []}, "or List should have at least 1 item"),
        ("corpus.sources.news.delimiter", ";;", "String should have at most 1 character"),
        ("tasks.mood.quote", "no", "String should have at most 1 character or should be 'none'"),
        ("tracking.experiment", "", "at least 1 character"),
    ],
)
def test_a_wrong_type_or_bound_is_reported_with_what_is_allowed(
    tmp_path: Path, key: str, value: Any, allowed: str
) -> None:
    (problem,) = problems_of(write_params(tmp_path, {key: value}))
    if isinstance(value, dict) and value:  # the problem names the nested value
        key, value = next((f"{key}.{name}", nested) for name, nested in value.items())
    named, _, rule = problem.partition(f" = {value!r}: ")
    assert named == key
    assert allowed in rule


@pytest.mark.parametrize("value", [0, -1, "last", 2.5, [19]])
def test_a_wrong_teacher_layer_is_one_problem_with_both_choices(tmp_path: Path, value: Any) -> None:
    (problem,) = problems_of(write_params(tmp_path, {"distill.teacher_layer": value}))
    assert problem.startswith(f"distill.teacher_layer = {value!r}: should be ")
    assert problem.endswith("or should be 'auto'")
    assert problem.count("distill.teacher_layer") == 1


def test_a_wrong_item_of_a_list_is_named_by_its_index(tmp_path: Path) -> None:
    assert problems_of(write_params(tmp_path, {"adapt.seeds": [0, "one"]})) == [
        "adapt.seeds.1 = 'one': should be a valid integer"
    ]


@pytest.mark.parametrize("name", ["Mood", "2stars", "movie-mood", "../up"])
def test_an_invalid_task_name_is_rejected(tmp_path: Path, name: str) -> None:
    (problem,) = problems_of(write_params(tmp_path, {"tasks": {name: DATA["tasks"]["mood"]}}))
    rule = "must start with a lower-case letter and have only lower-case letters, digits and _, at most 60"
    assert problem == f"tasks.{name}: {rule}"


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    problems = problems_of(
        write_params(tmp_path, {"student.layers": 0, "index.b": 2, "adapt.lr": DELETE, "evaluate.speed": 1})
    )
    assert sorted(problem.split(" ")[0] for problem in problems) == [
        "adapt.lr",
        "evaluate.speed",
        "index.b",
        "student.layers",
    ]


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words", "42"])
def test_a_file_that_is_not_a_mapping_is_rejected_with_the_expected_keys(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    (problem,) = problems_of(path)
    assert problem.startswith("must be a mapping with the keys assets, corpus, tasks, index")


@pytest.mark.parametrize(
    ("text", "hint"),
    [("index: {k1: 1.2\nb: 2\n", "line 2"), ("a: 1\na: 2\n", 'duplicate key "a"'), ("a:\n\t- 1\n", "line 2")],
)
def test_invalid_yaml_is_rejected_with_the_position(tmp_path: Path, text: str, hint: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    (problem,) = problems_of(path)
    assert problem.startswith("not valid YAML: ")
    assert hint in problem


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    assert problems_of(tmp_path / "params.yml") == ["no such file"]


def test_an_unknown_task_is_rejected_with_the_defined_tasks(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^tasks: 'sst' is not defined; defined are match, mood$"):
        load_params(write_params(tmp_path, {})).task("sst")


def test_parameters_are_read_only(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_params(write_params(tmp_path, {})).student.layers = 0
