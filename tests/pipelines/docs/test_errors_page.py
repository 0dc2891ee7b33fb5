"""Every error message has cause and remedy."""

from pathlib import Path

from pipelines.docs.errors_page import Advice, assign, errors_page, read_advice
from pipelines.docs.messages_in_code import Message, messages_in_code

ROOT = Path(__file__).parents[3]
CODE = ("src", "pipelines", "tracking")
EMPTY = Advice("Files", "It has no rows.", "Replace it.", says=("is empty",))
EMPTY_OR_DAMAGED = Advice("Files", "The disk was full.", "Remove it.", says=("is empty or damaged", "is no file"))
LIBRARY = Advice("Libraries", "A library failed.", "Read on.", file="messages.py")


def message(text: str, file: str = "module.py") -> Message:
    return Message(text, file, 7)


def test_every_message_of_the_code_has_advice_and_all_advice_is_needed() -> None:
    messages = messages_in_code(ROOT, CODE)
    advice = read_advice(ROOT / "docs" / "errors.yaml")
    assigned, wrong = assign(messages, advice)
    assert wrong == []
    parts = [part for entry in advice for part in entry.says]
    assert len(parts) == len(set(parts))
    assert sum(map(len, assigned.values())) > 200
    assert all(assigned.values())


def test_the_longest_part_decides_and_equal_messages_are_listed_once() -> None:
    messages = [message("‹path›: is empty"), message("‹path›: is empty"), message("‹folder›: is empty or damaged")]
    assigned, wrong = assign([*messages, message("is no file")], [EMPTY, EMPTY_OR_DAMAGED])
    assert assigned == {
        EMPTY: ["‹path›: is empty"],
        EMPTY_OR_DAMAGED: ["‹folder›: is empty or damaged", "is no file"],
    }
    assert wrong == []


def test_advice_for_a_file_is_for_what_no_other_advice_is_for() -> None:
    messages = [message("a database", "messages.py"), message("is empty", "messages.py")]
    assigned, wrong = assign(messages, [EMPTY, LIBRARY])
    assert assigned == {EMPTY: ["is empty"], LIBRARY: ["a database"]}
    assert wrong == []


def test_a_message_without_advice_and_advice_without_a_message_are_wrong() -> None:
    _, wrong = assign([message("a database")], [EMPTY])
    assert wrong == ["module.py:7: no advice for this message: a database", "no message is found by 'is empty'"]


def test_the_page_has_a_heading_for_each_group_and_code_that_keeps_its_backticks() -> None:
    page = errors_page({EMPTY: ["‹path›: is empty; set `quote`"], LIBRARY: ["a database"]})
    assert page == (
        "### Files\n\n`` ‹path›: is empty; set `quote` ``\n:   It has no rows.\n\n    *Remedy:* Replace it.\n\n"
        "### Libraries\n\n`` a database ``\n:   A library failed.\n\n    *Remedy:* Read on."
    )
