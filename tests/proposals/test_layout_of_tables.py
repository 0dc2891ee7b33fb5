"""Finding out how a user's table is written."""

from pathlib import Path

import pytest
from toy_tables import WRITERS
from toy_tickets import labelled, propose, tickets, write_lines

from textbook.errors import UserError

KEYS = ("delimiter", "quote", "escape")


def keys_of(path: Path) -> dict[str, str]:
    """The keys that say how the table is written."""
    return {key: value for key, value in propose(path).task.items() if key in KEYS}


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    lines = [line.replace(",", delimiter) for line in labelled(*["0.5", "1.5"] * 10, text="a fine, long day {}")]
    lines = [line.replace("fine" + delimiter, "fine,") for line in lines]
    path = write_lines(tmp_path / "mood.csv", *lines)
    assert keys_of(path) == {"delimiter": delimiter}
    assert propose(path).task["text"] == ["text"]


def test_the_first_line_of_excel_names_the_delimiter(tmp_path: Path) -> None:
    lines = [line.replace(",", ";") for line in labelled(*["good", "bad"] * 10)]
    assert keys_of(write_lines(tmp_path / "mood.csv", "\ufeffsep=;", *lines)) == {"delimiter": ";"}


def test_quotes_after_a_backslash_are_read(tmp_path: Path) -> None:
    rows = [f'"they said \\"fine\\", and left {n}",{n % 2}' for n in range(20)]
    proposal = propose(write_lines(tmp_path / "mood.csv", "text,label", *rows))
    assert proposal.task["escape"] == "\\"
    assert proposal.notes[0] == "a backslash before a quote is not part of the text (`escape`)"


def test_a_lone_quote_is_part_of_the_text_if_no_text_is_in_quotes(tmp_path: Path) -> None:
    lines = [*labelled(*["good", "bad"] * 10), '"great service said my aunt,good']
    path = write_lines(tmp_path / "mood.csv", *lines)
    assert keys_of(path) == {"quote": "none"}
    assert "quotes are part of the text (`quote`)" in propose(path).notes
    with path.open("a") as file:
        file.write('"it was in quotes",bad\n')
    with pytest.raises(UserError, match=r"a quote that opens here|has text after a closing quote"):
        propose(path)


def test_texts_of_a_tsv_file_that_are_all_in_quotes_are_mentioned(tmp_path: Path) -> None:
    rows = [f'"it was day number {n}"\t{n % 2}' for n in range(20)]
    notes = propose(write_lines(tmp_path / "mood.tsv", "text\tlabel", *rows)).notes
    assert "20 texts begin and end with a quotation mark, which is part of the text (see `quote`)" in notes


def test_columns_that_cannot_be_read_do_not_matter_and_are_named_if_nothing_else_is_there(tmp_path: Path) -> None:
    path = tmp_path / "mood.parquet"
    WRITERS["parquet"](path, [{**row, "tags": [1, 2]} for row in tickets()])
    assert propose(path).task["label"] == "kind"
    WRITERS["parquet"](path, [{"message": row["message"], "kind": [row["kind"]]} for row in tickets()])
    with pytest.raises(UserError, match="the columns are message; column 'kind' contains list<"):
        propose(path)


@pytest.mark.parametrize("suffix", ["csv.gz", "jsonl.zst", "parquet.gz"])
def test_compressed_tables_are_read(tmp_path: Path, suffix: str) -> None:
    import pyarrow as pa

    kind, compression = suffix.split(".")
    plain, path = tmp_path / f"plain.{kind}", tmp_path / f"tickets.{suffix}"
    WRITERS[kind](plain, tickets())
    with pa.CompressedOutputStream(str(path), {"gz": "gzip", "zst": "zstd"}[compression]) as stream:
        stream.write(plain.read_bytes())
    assert propose(path).task["label"] == "kind"
