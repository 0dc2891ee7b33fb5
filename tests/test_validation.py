"""Validation with Great Expectations: messages, reports and suites."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_validation import Validator, write_shard, write_suite

from textbook.errors import UserError
from textbook.validation import SHOWN_ROWS, check_shards, read_suite, validate


@pytest.fixture
def validator(tmp_path: Path) -> Validator:
    return Validator(tmp_path)


def test_a_missing_column_is_named(validator: Validator) -> None:
    rule = "{type: expect_column_values_to_not_be_null, kwargs: {column: sentense}}"
    suite = write_suite(validator.folder / "s.yaml", rule)
    assert 'The column "sentense" in BatchData does not exist' in validator.error_for({"sentence": ["a"]}, suite)


def test_the_message_counts_failures_and_the_report_lists_them_first(validator: Validator) -> None:
    suite = write_suite(
        validator.folder / "s.yaml",
        "{type: expect_column_values_to_not_be_null, kwargs: {column: a}}",
        "{type: expect_column_values_to_be_unique, kwargs: {column: a}}",
        "{type: expect_table_row_count_to_be_between, kwargs: {max_value: 1}}",
    )
    assert "(2 of 3 checks failed, all in " in validator.error_for({"a": [1, 1]}, suite)
    page = validator.report_text()
    assert '3 checks, <strong class="bad">2 failed</strong>' in page
    assert page.rindex(">fails") < page.index(">holds")


def test_an_additional_suite_is_checked_if_it_exists(validator: Validator) -> None:
    suite = write_suite(validator.folder / "s.yaml", "{type: expect_column_values_to_not_be_null, kwargs: {column: a}}")
    shard, own = write_shard(validator.folder / "0.parquet", {"a": [1, 1]}), validator.folder / "own.yaml"
    validate([shard], suite, {}, validator.report, "Task", own=own)
    write_suite(own, "{type: expect_column_values_to_be_unique, kwargs: {column: a}}")
    with pytest.raises(UserError, match=r"fails expect_column_values_to_be_unique .* \(1 of 2 checks failed"):
        validate([shard], suite, {}, validator.report, "Task", own=own)


def test_every_shard_is_checked_and_the_failing_one_is_named(validator: Validator) -> None:
    suite = write_suite(validator.folder / "s.yaml", "{type: expect_column_values_to_be_unique, kwargs: {column: a}}")
    shards = [
        write_shard(validator.folder / f"{name}.parquet", {"a": rows}) for name, rows in {"0": [1], "1": [2, 2]}.items()
    ]
    with pytest.raises(UserError, match=r"^Corpus, 1\.parquet: fails .* \(1 of 2 checks failed"):
        validator.check(shards, suite, {})
    assert all(f"{shard.name}" in validator.report_text() for shard in shards)


def test_the_first_failing_rows_are_shown_and_all_are_counted(validator: Validator) -> None:
    rule = "{type: expect_column_values_to_be_in_set, kwargs: {column: a, value_set: [0]}}"
    suite = write_suite(validator.folder / "s.yaml", rule)
    shard = write_shard(validator.folder / "a.parquet", {"a": [0, *range(1, 31)]})
    (check,) = check_shards([shard], read_suite(suite, {}))
    assert [row["place"] for row in check.rows] == [f"row {number}" for number in range(1, SHOWN_ROWS + 1)]
    assert check.failed == 30


def test_text_of_the_data_is_escaped_in_the_report(validator: Validator) -> None:
    rule = "{type: expect_column_values_to_be_in_set, kwargs: {column: a, value_set: ['<i>']}}"
    suite = write_suite(validator.folder / "s.yaml", rule)
    validator.error_for({"a": ["<script>alert(1)</script>"]}, suite)
    assert "<script>alert(1)</script>" in validator.report_text()
    assert "<script" not in validator.report_source()
    assert "<i>" not in validator.report_source()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in validator.report_source()


@given(st.lists(st.text(), max_size=5))
def test_any_text_in_the_context_reaches_the_expectation_unchanged(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    rule = "{type: expect_column_values_to_be_in_set, kwargs: {column: a, value_set: {{ texts | tojson }}}}"
    suite = write_suite(tmp_path_factory.getbasetemp() / "any.yaml", rule)
    assert read_suite(suite, {"texts": texts})[0]["kwargs"]["value_set"] == texts


@pytest.mark.parametrize("text", ["", "type: expect_x", "- expect_x", "- kwargs: {column: a}"])
def test_a_file_that_is_not_a_suite_is_rejected(tmp_path: Path, text: str) -> None:
    (tmp_path / "suite.yaml").write_text(text)
    with pytest.raises(UserError, match=r"suite\.yaml: must be a list of expectations, each with `type` and `kwargs`$"):
        read_suite(tmp_path / "suite.yaml", {})


@pytest.mark.parametrize(
    ("rule", "hint"),
    [
        (
            "{type: expect_miracles, kwargs: {column: a}}",
            r"s\.yaml: expectation expect_miracles: expect_miracles not found$",
        ),
        (
            "{type: expect_column_values_to_be_unique, kwargs: {colum: a}}",
            r"s\.yaml: expectation expect_column_values_to_be_unique: .* colum extra fields not permitted",
        ),
    ],
)
def test_a_misspelt_expectation_is_rejected_in_one_line(validator: Validator, rule: str, hint: str) -> None:
    suite = write_suite(validator.folder / "s.yaml", rule)
    with pytest.raises(UserError, match=hint) as error:
        validator.check([write_shard(validator.folder / "a.parquet", {"a": [1]})], suite, {})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("- {type: expect_x", "expected ',' or '}'"),
        ("- {{ nothing }}", "'nothing' is undefined"),
        ("{% if %}", "Expect"),
    ],
)
def test_an_unreadable_suite_is_named_in_one_line(tmp_path: Path, text: str, hint: str) -> None:
    (tmp_path / "suite.yaml").write_text(text)
    with pytest.raises(UserError, match=rf"suite\.yaml: .*{hint}") as error:
        read_suite(tmp_path / "suite.yaml", {})
    assert "\n" not in str(error.value)
