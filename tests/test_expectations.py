"""The shipped suites of expectations: what passes and what fails."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from toy_validation import Validator, write_shard

from textbook.errors import UserError
from textbook.textbooks.book import SCHEMA as BOOK
from textbook.validation import check_figures, read_suite, require_success

EXPECTATIONS = Path(__file__).parents[1] / "pipelines" / "expectations"

SENTENCES = ["A thin plot", "Great cast", "Set in Paris"]
VALID: dict[str, dict[str, pa.Array]] = {  # a table that passes, by suite
    "corpus": {
        "id": pa.array([0, 1, 2], pa.int64()),
        "sentence": pa.array(SENTENCES),
        "source": pa.array(["web", "web", "book"]),
    },
    "task": {"sentence": pa.array([*SENTENCES, SENTENCES[0]]), "label": pa.array([0, 1, 1, 0], pa.int64())},
    "textbook": {
        "sentence": pa.array(SENTENCES),
        "rank": pa.array([1, 1, 2], pa.int32()),
        "score": pa.array([3.5, 1.5, 2.5], pa.float32()),
        "source": pa.array(["web", "web", "book"]),
    },
}
CONTEXT: dict[str, dict[str, Any]] = {
    "corpus": {"sources": ["book", "web"]},
    "task": {"text": ["sentence"], "labels": ["bad", "good"], "scale": None},
    "textbook": {
        "text": ["sentence"],
        "made": False,
        "evaluation": ["Dull!", "it's <b>bad</b> 😀 \u2028"],
        "ranked": True,
        "k": 2,
    },
}


@pytest.fixture
def validator(tmp_path: Path) -> Validator:
    return Validator(tmp_path)


@pytest.mark.parametrize("suite", VALID)
def test_valid_data_passes_every_suite_and_a_report_is_written(validator: Validator, suite: str) -> None:
    shard = write_shard(validator.folder / "a.parquet", VALID[suite])
    validator.check([shard], EXPECTATIONS / f"{suite}.yaml", CONTEXT[suite])
    assert '<strong class="good">0 failed</strong>' in validator.report_source()


def test_pairs_scales_and_textbooks_without_ranks_pass(validator: Validator) -> None:
    pairs = {"sentence1": pa.array(["a", "b"]), "sentence2": pa.array(["c", "d"]), "label": pa.array([1, 0])}
    context = {"text": ["sentence1", "sentence2"], "labels": ["no", "yes"], "scale": None}
    validator.check([write_shard(validator.folder / "a.parquet", pairs)], EXPECTATIONS / "task.yaml", context)

    rated = {"sentence": pa.array(SENTENCES), "label": pa.array([0.0, 2.5, 5.0])}
    context = {"text": ["sentence"], "labels": None, "scale": [0, 5]}
    validator.check([write_shard(validator.folder / "c.parquet", rated)], EXPECTATIONS / "task.yaml", context)

    book = pa.table([pa.array(SENTENCES), pa.nulls(3), pa.nulls(3), pa.array(["web"] * 3)], names=BOOK.names)
    pq.write_table(book.cast(BOOK), validator.folder / "b.parquet")
    context = {"text": ["sentence"], "made": False, "evaluation": [], "ranked": False}
    validator.check([validator.folder / "b.parquet"], EXPECTATIONS / "textbook.yaml", context)


@pytest.mark.parametrize(
    ("suite", "changes", "expectation", "shown"),
    [
        ("corpus", {"id": [0, 1, 1]}, "expect_column_values_to_be_unique", "row 1: {'id': 1}; row 2: {'id': 1}"),
        ("corpus", {"sentence": ["a", None, "b"]}, "expect_column_values_to_not_be_null", "row 1: {'sentence': "),
        ("corpus", {"sentence": ["a", "b", "a"]}, "expect_column_values_to_be_unique", "row 2: {'sentence': 'a'}"),
        ("corpus", {"source": ["web", "web", "tv"]}, "expect_column_values_to_be_in_set", "row 2: {'source': 'tv'}"),
        ("corpus", {"source": None}, "expect_table_columns_to_match_ordered_list", "observed ['id', 'sentence']"),
        ("corpus", {"id": [0.0, 1.0, 2.0]}, "expect_column_values_to_be_of_type", "observed float64"),
        ("task", {"sentence": ["a", " ", "b", "c"]}, "expect_column_values_to_match_regex", "row 1: {'sentence': ' '}"),
        ("task", {"label": [0, 0, 0, 0]}, "expect_column_unique_value_count_to_be_between", "observed 1"),
        ("task", {"label": [0, 1, 2, 1]}, "expect_column_values_to_be_in_set", "row 2: {'label': 2}"),
        ("task", {"label": [0.0, 1.0, 0.5, 1.0]}, "expect_column_values_to_be_of_type", "observed float64"),
        ("textbook", {"rank": [1, 2, 1]}, "expect_column_values_to_be_increasing", "row 2: {'rank': 1}"),
        ("textbook", {"rank": [1, 2, 3]}, "expect_column_values_to_be_between", "row 2: {'rank': 3}"),
        ("textbook", {"score": [1.0, 0.0, 2.0]}, "expect_column_values_to_be_between", "row 1: {'score': 0.0}"),
        (
            "textbook",
            {"sentence": ["a", "Dull!", "b"]},
            "expect_column_values_to_not_be_in_set",
            "row 1: {'sentence': 'Dull!'}",
        ),
        (
            "textbook",
            {"sentence": ["a", "b", "it's <b>bad</b> 😀 \u2028"]},
            "expect_column_values_to_not_be_in_set",
            "row 2: {'sentence': \"it's <b>bad</b> 😀 \\u2028\"}",
        ),
    ],
)
def test_a_failure_is_named_with_its_rows_in_message_and_report(
    validator: Validator, suite: str, changes: dict[str, Any], expectation: str, shown: str
) -> None:
    columns = {name: values for name, values in {**VALID[suite], **changes}.items() if values is not None}
    message = validator.error_for(columns, EXPECTATIONS / f"{suite}.yaml", CONTEXT[suite])
    assert f"fails {expectation} (" in message
    assert shown in message
    page = validator.report_text()
    assert expectation in page
    assert all(part.removeprefix("observed ") in page for part in shown.split("; row "))


PAIRS: dict[str, pa.Array] = {
    "sentence": pa.array(["a", "b", "a"]),
    "sentence2": pa.array(["c", "c", "d"]),
    "rank": pa.array([0, 1, 1], pa.int32()),
    "score": pa.nulls(3, pa.float32()),
    "source": pa.array(["original", "augmented", "augmented"]),
}


@pytest.mark.parametrize("text", [["sentence"], ["sentence", "sentence2"]])
def test_augmented_textbooks_of_sentences_and_of_pairs_pass(validator: Validator, text: list[str]) -> None:
    columns = {name: values for name, values in PAIRS.items() if name in text or not name.startswith("sentence")}
    if len(text) == 1:
        columns = {**columns, "sentence": pa.array(SENTENCES)}
    context = {"text": text, "evaluation": ["Dull!"], "variants": 1}
    validator.check([write_shard(validator.folder / "a.parquet", columns)], EXPECTATIONS / "augmented.yaml", context)


@pytest.mark.parametrize(
    ("changes", "expectation", "shown"),
    [
        (
            {"sentence2": ["c", "c", "c"]},
            "expect_compound_columns_to_be_unique",
            "row 2: {'sentence': 'a', 'sentence2': 'c'}",
        ),
        ({"sentence2": ["c", "Dull!", "d"]}, "expect_column_values_to_not_be_in_set", "row 1: {'sentence2': 'Dull!'}"),
        ({"sentence2": ["c", " ", "d"]}, "expect_column_values_to_match_regex", "row 1: {'sentence2': ' '}"),
        ({"rank": [0, 1, 2]}, "expect_column_values_to_be_between", "row 2: {'rank': 2}"),
        ({"source": ["original", "augmented", "web"]}, "expect_column_values_to_be_in_set", "row 2: {'source': 'web'}"),
        ({"sentence2": None}, "expect_table_columns_to_match_ordered_list", "observed ['sentence', 'rank'"),
    ],
)
def test_an_invalid_augmented_textbook_fails_with_its_rows(
    validator: Validator, changes: dict[str, Any], expectation: str, shown: str
) -> None:
    columns = {name: values for name, values in {**PAIRS, **changes}.items() if values is not None}
    context = {"text": ["sentence", "sentence2"], "evaluation": ["Dull!"], "variants": 1}
    message = validator.error_for(columns, EXPECTATIONS / "augmented.yaml", context)
    assert f"fails {expectation} (" in message
    assert shown in message


def test_neither_text_of_a_pair_may_be_an_evaluation_sentence(validator: Validator) -> None:
    columns = {name: VALID["textbook"][name] for name in ("rank", "score", "source")}
    pairs = {"sentence": pa.array(["a", "b", "c"]), "sentence2": pa.array(["d", "e", "f"]), **columns}
    context = {**CONTEXT["textbook"], "text": ["sentence", "sentence2"]}
    validator.check([write_shard(validator.folder / "a.parquet", pairs)], EXPECTATIONS / "textbook.yaml", context)
    message = validator.error_for({**pairs, "sentence2": ["d", "Dull!", "f"]}, EXPECTATIONS / "textbook.yaml", context)
    assert "row 1: {'sentence2': 'Dull!'}" in message


MADE: dict[str, pa.Array] = {
    "sentence": pa.array(["a film", "a plot", "a film"]),
    "sentence2": pa.array(["film", "plot", "a"]),
    **{name: VALID["textbook"][name] for name in ("rank", "score", "source")},
    "made": pa.array(["real", "part", "written"]),
}
MADE_CONTEXT = {**CONTEXT["textbook"], "text": ["sentence", "sentence2"], "made": True}


def test_a_textbook_of_pairs_that_were_made_passes(validator: Validator) -> None:
    validator.check([write_shard(validator.folder / "a.parquet", MADE)], EXPECTATIONS / "textbook.yaml", MADE_CONTEXT)


@pytest.mark.parametrize(
    ("changes", "expectation", "shown"),
    [
        ({"made": ["real", "part", "drawn"]}, "expect_column_values_to_be_in_set", "row 2: {'made': 'drawn'}"),
        ({"made": None}, "expect_table_columns_to_match_ordered_list", "observed ['sentence', 'sentence2', 'rank'"),
        ({"sentence2": ["film", " ", "a"]}, "expect_column_values_to_match_regex", "row 1: {'sentence2': ' '}"),
        ({"sentence2": ["film", "Dull!", "a"]}, "expect_column_values_to_not_be_in_set", "row 1: {'sentence2': 'Du"),
        ({"sentence2": ["a", "b", "a"]}, "expect_compound_columns_to_be_unique", "row 2: {'sentence': 'a film', 's"),
    ],
)
def test_an_invalid_textbook_of_pairs_fails_with_its_rows(
    validator: Validator, changes: dict[str, Any], expectation: str, shown: str
) -> None:
    columns = {name: values for name, values in {**MADE, **changes}.items() if values is not None}
    message = validator.error_for(columns, EXPECTATIONS / "textbook.yaml", MADE_CONTEXT)
    assert f"fails {expectation} (" in message
    assert shown in message


@pytest.mark.parametrize(("distance", "passes"), [(0.05, True), (0.06, False)])
def test_pairs_far_from_those_of_the_task_fail(validator: Validator, distance: float, passes: bool) -> None:
    suite = read_suite(EXPECTATIONS / "textbook-figures.yaml", {"made": True, "ranked": True, "budget": None})
    checks = check_figures("book.json", {**FIGURES, "pair_overlap_distance": distance}, suite)
    assert all(check.success for check in checks) is passes
    if not passes:
        with pytest.raises(
            UserError, match=r"fails expect_column_values_to_be_between .*'pair_overlap_distance': 0.06"
        ):
            require_success(checks, validator.report, "Book")


def test_an_empty_textbook_fails(validator: Validator) -> None:
    empty = {name: values[:0] for name, values in VALID["textbook"].items()}
    message = validator.error_for(empty, EXPECTATIONS / "textbook.yaml", CONTEXT["textbook"])
    assert "fails expect_table_row_count_to_be_between" in message
    assert "observed 0" in message


def test_long_settings_are_truncated_in_message_and_report(validator: Validator) -> None:
    evaluation = [f"Evaluation sentence number {number}" for number in range(3_000)]
    columns = {**VALID["textbook"], "sentence": pa.array([*SENTENCES[:2], evaluation[2_000]])}
    message = validator.error_for(
        columns, EXPECTATIONS / "textbook.yaml", {**CONTEXT["textbook"], "evaluation": evaluation}
    )
    assert len(message.replace(str(validator.folder), "")) < 600
    assert "'Evaluation sentence number 1'" in message
    assert "row 2: {'sentence': 'Evaluation sentence number 2000'}" in message
    assert "characters)" in message, "the message does not say that a value was truncated"
    assert len(validator.report_text()) < 10_000


FIGURES = {"sentences": 90, "bytes": 4_000, "overlap_with_task": 40.0, "overlap_of_random_sample": 40.0}


@pytest.mark.parametrize("budget", [None, {"unit": "sentences", "size": 90}, {"unit": "bytes", "size": 4_000}])
def test_figures_within_bounds_pass(validator: Validator, budget: dict[str, Any] | None) -> None:
    suite = read_suite(EXPECTATIONS / "textbook-figures.yaml", {"made": False, "ranked": True, "budget": budget})
    require_success(check_figures("book.json", FIGURES, suite), validator.report, "Book")
    assert "0 failed" in validator.report_text()


@pytest.mark.parametrize(
    ("budget", "changes", "shown"),
    [
        ({"unit": "sentences", "size": 89}, {}, "row 0: {'sentences': 90}"),
        ({"unit": "bytes", "size": 3_999}, {}, "row 0: {'bytes': 4000}"),
        (
            None,
            {"overlap_with_task": 39.9},
            "row 0: {'overlap_with_task': 39.9, 'overlap_of_random_sample': 40.0}",
        ),
    ],
)
def test_a_textbook_too_large_or_too_far_from_its_task_fails(
    validator: Validator, budget: dict[str, Any] | None, changes: dict[str, float], shown: str
) -> None:
    suite = read_suite(EXPECTATIONS / "textbook-figures.yaml", {"made": False, "ranked": True, "budget": budget})
    with pytest.raises(UserError, match=r"^Book, book\.json: fails expect_column_") as error:
        require_success(check_figures("book.json", {**FIGURES, **changes}, suite), validator.report, "Book")
    assert shown in str(error.value)
    assert shown in validator.report_text()
