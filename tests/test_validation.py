"""Great Expectations at the doors: what passes, what fails, and what the user then reads."""

import html
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textbook.errors import UserError
from textbook.textbooks.book import SCHEMA as BOOK
from textbook.validation import SHOWN_ROWS, check_figures, check_shards, judge, read_suite, validate

EXPECTATIONS = Path(__file__).parents[1] / "pipelines" / "expectations"

SENTENCES = ["A thin plot", "Great cast", "Set in Paris"]
GOOD: dict[str, dict[str, pa.Array]] = {  # suite: a table that meets it
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
    "textbook": {"text": ["sentence"], "evaluation": ["Dull!", "it's <b>bad</b> 😀 \u2028"], "ranked": True, "k": 2},
}


def write_shard(path: Path, columns: dict[str, Any]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def write_suite(path: Path, *rules: str) -> Path:
    path.write_text("".join(f"- {rule}\n" for rule in rules))
    return path


class Door:
    """One suite, and the page it leaves."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.page = folder, folder / "reports" / "page.html"

    def check(self, shards: list[Path], suite: Path, context: dict[str, Any]) -> None:
        validate(shards, suite, context, self.page, "Corpus")

    def refuse(self, columns: dict[str, Any], suite: Path, context: dict[str, Any] | None = None) -> str:
        """The message with which `columns` fail."""
        shard = write_shard(self.folder / "00000.parquet", columns)
        with pytest.raises(UserError) as error:
            self.check([shard], suite, context or {})
        message = str(error.value)
        assert "\n" not in message
        assert message.startswith("Corpus, 00000.parquet: fails expect_")
        assert str(self.page) in message, "the message does not say where the page is"
        return message

    def read(self) -> str:
        """What the page says, its source in `raw`."""
        self.raw = self.page.read_text(encoding="utf-8")
        return html.unescape(self.raw)


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


@pytest.mark.parametrize("suite", GOOD)
def test_sound_data_passes_every_door_and_leaves_a_page(door: Door, suite: str) -> None:
    shard = write_shard(door.folder / "a.parquet", GOOD[suite])
    door.check([shard], EXPECTATIONS / f"{suite}.yaml", CONTEXT[suite])
    assert '<strong class="good">0 failed</strong>' in door.page.read_text()


def test_pairs_and_a_sample_without_ranks_pass_their_doors(door: Door) -> None:
    pairs = {"sentence1": pa.array(["a", "b"]), "sentence2": pa.array(["c", "d"]), "label": pa.array([1, 0])}
    context = {"text": ["sentence1", "sentence2"], "labels": ["no", "yes"], "scale": None}
    door.check([write_shard(door.folder / "a.parquet", pairs)], EXPECTATIONS / "task.yaml", context)

    rated = {"sentence": pa.array(SENTENCES), "label": pa.array([0.0, 2.5, 5.0])}
    context = {"text": ["sentence"], "labels": None, "scale": [0, 5]}
    door.check([write_shard(door.folder / "c.parquet", rated)], EXPECTATIONS / "task.yaml", context)

    book = pa.table([pa.array(SENTENCES), pa.nulls(3), pa.nulls(3), pa.array(["web"] * 3)], names=BOOK.names)
    pq.write_table(book.cast(BOOK), door.folder / "b.parquet")
    context = {"text": ["sentence"], "evaluation": [], "ranked": False}
    door.check([door.folder / "b.parquet"], EXPECTATIONS / "textbook.yaml", context)


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
def test_what_fails_is_named_with_its_rows_in_message_and_page(
    door: Door, suite: str, changes: dict[str, Any], expectation: str, shown: str
) -> None:
    columns = {name: values for name, values in {**GOOD[suite], **changes}.items() if values is not None}
    message = door.refuse(columns, EXPECTATIONS / f"{suite}.yaml", CONTEXT[suite])
    assert f"fails {expectation} (" in message
    assert shown in message
    page = door.read()
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
def test_augmented_textbooks_of_sentences_and_of_pairs_pass_their_door(door: Door, text: list[str]) -> None:
    columns = {name: values for name, values in PAIRS.items() if name in text or not name.startswith("sentence")}
    if len(text) == 1:
        columns = {**columns, "sentence": pa.array(SENTENCES)}
    context = {"text": text, "evaluation": ["Dull!"], "variants": 1}
    door.check([write_shard(door.folder / "a.parquet", columns)], EXPECTATIONS / "augmented.yaml", context)


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
def test_an_unsound_augmented_textbook_is_refused_with_its_rows(
    door: Door, changes: dict[str, Any], expectation: str, shown: str
) -> None:
    columns = {name: values for name, values in {**PAIRS, **changes}.items() if values is not None}
    context = {"text": ["sentence", "sentence2"], "evaluation": ["Dull!"], "variants": 1}
    message = door.refuse(columns, EXPECTATIONS / "augmented.yaml", context)
    assert f"fails {expectation} (" in message
    assert shown in message


def test_a_textbook_of_pairs_may_have_neither_of_its_texts_from_the_evaluation(door: Door) -> None:
    columns = {name: GOOD["textbook"][name] for name in ("rank", "score", "source")}
    pairs = {"sentence": pa.array(["a", "b", "c"]), "sentence2": pa.array(["d", "e", "f"]), **columns}
    context = {**CONTEXT["textbook"], "text": ["sentence", "sentence2"]}
    door.check([write_shard(door.folder / "a.parquet", pairs)], EXPECTATIONS / "textbook.yaml", context)
    message = door.refuse({**pairs, "sentence2": ["d", "Dull!", "f"]}, EXPECTATIONS / "textbook.yaml", context)
    assert "row 1: {'sentence2': 'Dull!'}" in message


def test_an_empty_textbook_fails_its_door(door: Door) -> None:
    empty = {name: values[:0] for name, values in GOOD["textbook"].items()}
    message = door.refuse(empty, EXPECTATIONS / "textbook.yaml", CONTEXT["textbook"])
    assert "fails expect_table_row_count_to_be_between" in message
    assert "observed 0" in message


def test_a_column_that_is_not_there_is_named(door: Door) -> None:
    rule = "{type: expect_column_values_to_not_be_null, kwargs: {column: sentense}}"
    suite = write_suite(door.folder / "s.yaml", rule)
    assert 'The column "sentense" in BatchData does not exist' in door.refuse({"sentence": ["a"]}, suite)


def test_the_message_counts_what_failed_and_the_page_lists_failures_first(door: Door) -> None:
    suite = write_suite(
        door.folder / "s.yaml",
        "{type: expect_column_values_to_not_be_null, kwargs: {column: a}}",
        "{type: expect_column_values_to_be_unique, kwargs: {column: a}}",
        "{type: expect_table_row_count_to_be_between, kwargs: {max_value: 1}}",
    )
    assert "(2 of 3 checks failed, all in " in door.refuse({"a": [1, 1]}, suite)
    page = door.read()
    assert '3 checks, <strong class="bad">2 failed</strong>' in page
    assert page.rindex(">fails") < page.index(">holds")


def test_a_suite_of_the_users_own_is_checked_besides_if_there_is_one(door: Door) -> None:
    suite = write_suite(door.folder / "s.yaml", "{type: expect_column_values_to_not_be_null, kwargs: {column: a}}")
    shard, own = write_shard(door.folder / "0.parquet", {"a": [1, 1]}), door.folder / "own.yaml"
    validate([shard], suite, {}, door.page, "Task", own=own)
    write_suite(own, "{type: expect_column_values_to_be_unique, kwargs: {column: a}}")
    with pytest.raises(UserError, match=r"fails expect_column_values_to_be_unique .* \(1 of 2 checks failed"):
        validate([shard], suite, {}, door.page, "Task", own=own)


def test_every_shard_is_checked_and_the_failing_one_named(door: Door) -> None:
    suite = write_suite(door.folder / "s.yaml", "{type: expect_column_values_to_be_unique, kwargs: {column: a}}")
    shards = [
        write_shard(door.folder / f"{name}.parquet", {"a": rows}) for name, rows in {"0": [1], "1": [2, 2]}.items()
    ]
    with pytest.raises(UserError, match=r"^Corpus, 1\.parquet: fails .* \(1 of 2 checks failed"):
        door.check(shards, suite, {})
    assert all(f"{shard.name}" in door.read() for shard in shards)


def test_only_the_first_rows_are_shown_and_all_are_counted(door: Door) -> None:
    rule = "{type: expect_column_values_to_be_in_set, kwargs: {column: a, value_set: [0]}}"
    suite = write_suite(door.folder / "s.yaml", rule)
    shard = write_shard(door.folder / "a.parquet", {"a": [0, *range(1, 31)]})
    (check,) = check_shards([shard], read_suite(suite, {}))
    assert [row["row"] for row in check.rows] == list(range(1, SHOWN_ROWS + 1))
    assert check.failed == 30


def test_text_from_the_data_is_escaped_on_the_page(door: Door) -> None:
    rule = "{type: expect_column_values_to_be_in_set, kwargs: {column: a, value_set: ['<i>']}}"
    suite = write_suite(door.folder / "s.yaml", rule)
    door.refuse({"a": ["<script>alert(1)</script>"]}, suite)
    assert "<script>alert(1)</script>" in door.read()
    assert "<script" not in door.raw
    assert "<i>" not in door.raw
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in door.raw


def test_long_settings_are_shortened_in_message_and_page(door: Door) -> None:
    evaluation = [f"Evaluation sentence number {number}" for number in range(3_000)]
    columns = {**GOOD["textbook"], "sentence": pa.array([*SENTENCES[:2], evaluation[2_000]])}
    message = door.refuse(columns, EXPECTATIONS / "textbook.yaml", {**CONTEXT["textbook"], "evaluation": evaluation})
    assert len(message.replace(str(door.folder), "")) < 600
    assert "'Evaluation sentence number 1'" in message
    assert "row 2: {'sentence': 'Evaluation sentence number 2000'}" in message
    assert "characters)" in message, "the message does not say that something was cut"
    assert len(door.read()) < 10_000


@given(st.lists(st.text(), max_size=5))
def test_any_text_in_the_context_reaches_the_expectation_unchanged(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    rule = "{type: expect_column_values_to_be_in_set, kwargs: {column: a, value_set: {{ texts | tojson }}}}"
    suite = write_suite(tmp_path_factory.getbasetemp() / "any.yaml", rule)
    assert read_suite(suite, {"texts": texts})[0]["kwargs"]["value_set"] == texts


@pytest.mark.parametrize("text", ["", "type: expect_x", "- expect_x", "- kwargs: {column: a}"])
def test_a_file_that_is_no_suite_is_refused(tmp_path: Path, text: str) -> None:
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
def test_a_misspelt_expectation_is_refused_in_one_line(door: Door, rule: str, hint: str) -> None:
    suite = write_suite(door.folder / "s.yaml", rule)
    with pytest.raises(UserError, match=hint) as error:
        door.check([write_shard(door.folder / "a.parquet", {"a": [1]})], suite, {})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("- {type: expect_x", "expected ',' or '}'"),
        ("- {{ nothing }}", "'nothing' is undefined"),
        ("{% if %}", "Expect"),
    ],
)
def test_a_suite_that_cannot_be_read_is_named_in_one_line(tmp_path: Path, text: str, hint: str) -> None:
    (tmp_path / "suite.yaml").write_text(text)
    with pytest.raises(UserError, match=rf"suite\.yaml: .*{hint}") as error:
        read_suite(tmp_path / "suite.yaml", {})
    assert "\n" not in str(error.value)


FIGURES = {"sentences": 90, "bytes": 4_000, "overlap_with_task": 40.0, "overlap_of_random_sample": 40.0}


@pytest.mark.parametrize("budget", [None, {"unit": "sentences", "size": 90}, {"unit": "bytes", "size": 4_000}])
def test_figures_within_their_bounds_pass(door: Door, budget: dict[str, Any] | None) -> None:
    suite = read_suite(EXPECTATIONS / "textbook-figures.yaml", {"ranked": True, "budget": budget})
    judge(check_figures("book.json", FIGURES, suite), door.page, "Book")
    assert "0 failed" in door.read()


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
def test_a_textbook_that_is_too_large_or_far_from_its_task_is_refused(
    door: Door, budget: dict[str, Any] | None, changes: dict[str, float], shown: str
) -> None:
    suite = read_suite(EXPECTATIONS / "textbook-figures.yaml", {"ranked": True, "budget": budget})
    with pytest.raises(UserError, match=r"^Book, book\.json: fails expect_column_") as error:
        judge(check_figures("book.json", {**FIGURES, **changes}, suite), door.page, "Book")
    assert shown in str(error.value)
    assert shown in door.read()
