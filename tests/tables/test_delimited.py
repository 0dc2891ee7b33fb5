"""Reading CSV and TSV: completely, or not at all."""

from pathlib import Path
from typing import Any

import pytest
from toy_tables import read, read_texts, refusal

HEADER = "text,label\n"


def write(path: Path, content: str) -> Path:
    path.write_bytes(content.encode())
    return path


def test_a_tsv_has_no_quotes(tmp_path: Path) -> None:
    texts = ['"great service', 'said "no" twice', '"all" of it"', '""', "it's"]
    path = write(tmp_path / "a.tsv", "".join(f"{text}\n" for text in ["text\tlabel", *(f"{t}\t1" for t in texts)]))
    assert read_texts(path) == texts


def test_a_key_gives_a_tsv_quotes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", 'text\tlabel\n"tab\there ""x"""\t1\n')
    assert read_texts(path, quote='"') == ['tab\there "x"']


def test_a_csv_may_have_another_delimiter_and_quote(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text;label\n'a; b';1\n\"c\";2\n")
    assert read_texts(path, delimiter=";", quote="'") == ["a; b", '"c"']


@pytest.mark.parametrize("start", ["sep=;\n", "\ufeffsep=;\r\n"])
def test_the_first_line_of_excel_is_skipped_if_the_delimiter_is_given(tmp_path: Path, start: str) -> None:
    path = write(tmp_path / "a.csv", f"{start}text;label\nfine;1\n")
    assert read_texts(path, delimiter=";") == ["fine"]
    assert refusal(path).endswith("its first line is for Excel: remove it, or set `delimiter: ';'`")


def test_a_wrong_delimiter_is_suspected(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text;label\nfine;1\n")
    assert refusal(path) == (
        "has no column 'text'; it has text;label; its delimiter seems to be ';': set `delimiter: ';'`"
    )


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (r'"She said \"fine\" and left"', 'She said "fine" and left'),
        (r'"ends in a quote \"yes\""', 'ends in a quote "yes"'),
        (r'"C:\new and \\ two"', r"C:\new and \ two"),
        (r'"ends in a backslash \\"', "ends in a backslash \\"),
        (r"not \"quoted\"", 'not "quoted"'),
        ('""', ""),
    ],
)
def test_an_escape_character_protects_quotes(tmp_path: Path, written: str, text: str) -> None:
    path = write(tmp_path / "a.csv", f"{HEADER}{written},1\nnext,0\n")
    assert read_texts(path, escape="\\") == [text, "next"]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ('"great service, said my aunt,1\nlate,0\n', "line 2 (up to line 3): a quote that opens here is never closed"),
        ('fine,1\n"warm" is not the word,0\n', "line 3: has text after a closing quote"),
        ('"a" ,1\n', "line 2: has text after a closing quote"),
        ('"She said \\"fine\\" and left",1\n', "line 2: has text after a closing quote"),
        ('"lone\nquote "again,1\n', "line 2 (up to line 3): has text after a closing quote"),
        ("fine,1\nshort\n", "row 1 (line 3): has 1 columns, but the header has 2"),
        ("a, b,1\n", "row 0 (line 2): has 3 columns, but the header has 2; a text with a ',' must be in quotes"),
        ("a\rb,1\n", "line 2: has a carriage return inside a field that is not quoted"),
        ('"x\n y",1\ncaf\x00e,2\n', "row 1 (line 4): has a NUL byte; it must be text in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_completely_is_refused(tmp_path: Path, rows: str, reason: str) -> None:
    path = write(tmp_path / "a.csv", HEADER + rows)
    assert refusal(path).startswith(reason)


def test_the_remedies_are_in_the_message(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f'{HEADER}"She said \\"fine\\"",1\n')
    assert refusal(path).endswith(
        "if \" is part of the text, double it, or set `quote: none`; if quotes are escaped as \\\", set `escape: '\\'`"
    )


def test_quotes_may_be_part_of_the_text_of_a_csv(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f'{HEADER}"great service,1\nsaid "no",0\n')
    assert read_texts(path, quote="none") == ['"great service', 'said "no"']


LABELS = "".join(f"remark {number},{number % 2}\n" for number in range(20))


@pytest.mark.parametrize(
    ("header", "other", "rows"),
    [
        # A text starts with a lone quote, and a later one ends with one: the rows between would be one text.
        (HEADER, LABELS, '"great service,1\nbread came late,0\nand the soup was "cold",1\n'),
        ("label,text\n", "".join(f"{n % 2},remark {n}\n" for n in range(20)), '1,"great\n0,bread\n1,said "no"\n'),
        ("id,text\n", "".join(f"{n},remark {n}\n" for n in range(20)), '31,"great\n32,bread\n33,never"\n'),
    ],
)
def test_rows_between_lone_quotes_are_not_swallowed(tmp_path: Path, header: str, other: str, rows: str) -> None:
    path = write(tmp_path / "a.csv", header + other + rows.replace('said "no"', 'never"').replace('"cold"', 'cold"'))
    assert "row 20 (line 22): a quoted field runs on to line 24" in refusal(path)


@pytest.mark.parametrize(
    "text",
    ["Dear Sir,\nI hope, you are well", "1\n2\n3", "first, 1\nsecond, 0", "remark\n\nnext,x", "a\r\nb"],
)
def test_a_text_with_line_breaks_is_read(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "a.csv", f'{HEADER}{LABELS}"{text}",1\n')
    assert read_texts(path)[-1] == text


def test_other_columns_may_be_empty_or_have_any_values(tmp_path: Path) -> None:
    first = "".join(f"text {number},,0\n" for number in range(200_000))  # `note` is first filled after 2 MB
    path = write(tmp_path / "a.csv", f"text,note,label\n{first}last,filled,1\n")
    rows: list[dict[str, Any]] = read(path, ["text", "label"])
    assert len(rows) == 200_001
    assert rows[-1] == {"text": "last", "label": "1"}
