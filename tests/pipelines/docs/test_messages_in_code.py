"""Error messages are found in the code, however they get to the user."""

from pathlib import Path
from textwrap import dedent

import pytest

from pipelines.docs.messages_in_code import messages_in_code


def texts(folder: Path, code: str) -> list[str]:
    (folder / "code").mkdir()
    (folder / "code" / "module.py").write_text(dedent(code))
    return [message.text for message in messages_in_code(folder, ["code"])]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("raise UserError('is empty')", "is empty"),
        ("raise UserError(f'{path}: is empty')", "‹path›: is empty"),
        ("raise UserError(f'{self._path!r}: has {len(rows):,} rows' f' of {1 + n}')", "‹path›: has ‹rows› rows of ‹…›"),
        ("raise UserError('a' + (f' where {table.where}' if table.where else ''))", "a where ‹where›"),
        ("raise LineError(line, f'is {kind}')", "is ‹kind›"),
        ("KEY = 'tasks'\nraise UserError(f'{KEY}: {x}')", "tasks: ‹x›"),
        ("KEY, OTHER = 'a', 'b'\nraise UserError(f'{OTHER} is wrong')", "b is wrong"),
        ("def f():\n    end = f'; see {log}'\n    raise UserError(f'failed{end}')", "failed; see ‹log›"),
        ("def f():\n    end = ''\n    end = 'more'\n    raise UserError(f'failed{end}')", "failed‹end›"),
        ("problems.append(f'{key}: is wrong')", "‹key›: is wrong"),
        ("problems += [f'{key}: is wrong' for key in keys]", "‹key›: is wrong"),
        ("problems = [f'{key}: is wrong'] if late else []", "‹key›: is wrong"),
        ("def task_problems(task):\n    return [f'{name} must be unique' for name in names]", "‹name› must be unique"),
        ("def f():\n    problem = 'has a NUL byte'", "has a NUL byte"),
        ("LIBRARY_ERRORS = {'json.Error': 'a file is damaged'}", "a file is damaged"),
    ],
)
def test_a_message_is_found(tmp_path: Path, code: str, text: str) -> None:
    assert texts(tmp_path, code) == [text]


def test_what_a_private_function_returns_to_a_message_is_found(tmp_path: Path) -> None:
    code = """
        def read():
            raise UserError(f"{path}: {_explain(error)}")

        def _explain(error):
            if error:
                return "a quote is never closed", 1
            return "text"  # a word for a message, not one by itself

        def _unrelated():
            return "nothing that a user sees"
    """
    assert texts(tmp_path, code) == ["a quote is never closed"]


@pytest.mark.parametrize("code", ["raise UserError(f'{key}: {error}')", "raise KeyError('no such key')", "f('text')"])
def test_what_has_no_words_of_its_own_or_is_no_message_is_left_out(tmp_path: Path, code: str) -> None:
    assert texts(tmp_path, code) == []


def test_file_and_line_are_those_of_the_message(tmp_path: Path) -> None:
    texts(tmp_path, "\nraise UserError('is empty')")
    (message,) = messages_in_code(tmp_path, ["code"])
    assert (message.file, message.line) == ("code/module.py", 2)
