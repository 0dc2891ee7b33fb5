"""Writing small shards and suites, and validating them, for tests."""

import html
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from textbook.errors import UserError
from textbook.validation import validate


def write_shard(path: Path, columns: dict[str, Any]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def write_suite(path: Path, *rules: str) -> Path:
    path.write_text("".join(f"- {rule}\n" for rule in rules))
    return path


class Validator:
    """Validates Parquet files and reads the report."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.report = folder, folder / "reports" / "page.html"

    def check(self, shards: list[Path], suite: Path, context: dict[str, Any]) -> None:
        validate(shards, suite, context, self.report, "Corpus")

    def error_for(self, columns: dict[str, Any], suite: Path, context: dict[str, Any] | None = None) -> str:
        """Validate a shard of these columns, which must fail, and return the error message."""
        shard = write_shard(self.folder / "00000.parquet", columns)
        with pytest.raises(UserError) as error:
            self.check([shard], suite, context or {})
        message = str(error.value)
        assert "\n" not in message
        assert message.startswith("Corpus, 00000.parquet: fails expect_")
        assert str(self.report) in message, "the message does not name the report"
        return message

    def report_source(self) -> str:
        """The HTML of the report."""
        return self.report.read_text(encoding="utf-8")

    def report_text(self) -> str:
        """The report with HTML entities replaced."""
        return html.unescape(self.report_source())
