"""Data validation with Great Expectations. A failed expectation stops the pipeline and names the rows.

A suite is a YAML file with a list of expectations, each with Great Expectations' `type` and `kwargs`. Every shard is
checked separately, so one shard is in memory at a time.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
from jinja2 import Environment, StrictUndefined, TemplateError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from tqdm import tqdm

from textbook.errors import UserError
from textbook.files import atomic_write

os.environ["GX_ANALYTICS_ENABLED"] = "false"

Places = Mapping[str, Sequence[Any]]
"""The place of each row of a file, by the name of the file; its text names it in a message."""

SHOWN_ROWS = 5
SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class Check:
    """The outcome of one expectation on one shard."""

    shard: str
    expectation: str
    settings: dict[str, Any]
    success: bool
    failed: int
    rows: list[dict[str, Any]]
    observed: Any


def validate(
    paths: Sequence[Path],
    suite: Path,
    context: dict[str, Any],
    report: Path,
    title: str,
    *,
    own: Path | None = None,
    places: Places | None = None,
) -> None:
    """Check Parquet files against a suite and write an HTML report, also on failure.

    Args:
        context: values for the placeholders of the suites.
        report: path of the report.
        title: title of the report, which also starts the error message.
        own: an additional suite of the user; ignored if the file does not exist.
        places: where the rows of a file come from, by its name, for messages. None: rows are named by their numbers.

    Raises:
        UserError: an expectation failed; see `require_success`.
    """
    rules = read_suite(suite, context) + (read_suite(own, context) if own and own.is_file() else [])
    require_success(check_shards(paths, rules, places), report, title)


def require_success(checks: Sequence[Check], report: Path, title: str) -> None:
    """Write an HTML report on the checks, also on failure.

    Raises:
        UserError: a check failed; the message names the first failed expectation, its first rows and the report.
    """
    write_report(checks, title, report)
    failed = [check for check in checks if not check.success]
    if failed:
        first = failed[0]
        rows = "; ".join(f"{row['place']}: {row['values']}" for row in first.rows)
        rows = rows or f"observed {_shorten(first.observed)}"
        raise UserError(
            f"{title}, {first.shard}: fails {first.expectation} ({_shorten(first.settings)}): {rows}"
            f" ({len(failed)} of {len(checks)} checks failed, all in {report})"
        )


def read_suite(path: Path, context: dict[str, Any]) -> list[dict[str, Any]]:
    """Read the expectations of a YAML file; `{{ name }}` in it is replaced by a value of `context`.

    Raises:
        UserError: the file is not a list of `type` and `kwargs`, or Great Expectations does not know an expectation or
            its arguments.
    """
    templates = Environment(undefined=StrictUndefined)
    templates.filters["tojson"] = _to_yaml
    try:
        text = templates.from_string(path.read_text(encoding="utf-8")).render(context)
        suite = YAML(typ="safe", pure=True).load(text)
    except (TemplateError, YAMLError) as error:
        raise UserError(f"{path}: {' '.join(str(error).split())}") from None
    if not isinstance(suite, list) or not all(isinstance(rule, dict) and "type" in rule for rule in suite):
        raise UserError(f"{path}: must be a list of expectations, each with `type` and `kwargs`")
    from great_expectations.exceptions.exceptions import ExpectationNotFoundError

    for rule in suite:
        try:
            _expectation(rule)
        except (ExpectationNotFoundError, ValueError) as error:
            raise UserError(f"{path}: expectation {rule['type']}: {' '.join(str(error).split())}") from None
    return suite


def check_shards(paths: Iterable[Path], suite: Sequence[dict[str, Any]], places: Places | None = None) -> list[Check]:
    """Check each Parquet file against all expectations of a suite; one file is in memory at a time."""
    files = list(paths)
    shards = tqdm(files, desc="check", unit="shard", disable=None if len(files) > 1 else True)
    return _check_frames(((path.name, pq.read_table(path).to_pandas()) for path in shards), suite, places or {})


def check_figures(name: str, figures: Mapping[str, Any], suite: Sequence[dict[str, Any]]) -> list[Check]:
    """Check figures against all expectations of a suite, as a table with one row and a column per figure."""
    return _check_frames([(name, pd.DataFrame([figures]))], suite, {})


def write_report(checks: Sequence[Check], title: str, path: Path) -> None:
    """Write the checks as an HTML page, failures first."""
    templates = Environment(autoescape=True)
    templates.filters["shorten"] = _shorten
    page = templates.from_string(_PAGE).render(
        title=title,
        checks=sorted(checks, key=lambda check: check.success),
        failed=sum(not check.success for check in checks),
    )
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _check_frames(
    frames: Iterable[tuple[str, pd.DataFrame]], suite: Sequence[dict[str, Any]], places: Places
) -> list[Check]:
    """Check each named table against all expectations."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    batches = (
        context.data_sources.add_pandas("shards")
        .add_dataframe_asset("shard")
        .add_batch_definition_whole_dataframe("all")
    )
    result_format = {"result_format": "COMPLETE", "partial_unexpected_count": SHOWN_ROWS}
    checks = []
    for name, frame in frames:
        batch = batches.get_batch({"dataframe": frame})
        for rule in suite:
            result = batch.validate(_expectation(rule), result_format=result_format)
            checks.append(_check(name, rule, result, frame, places.get(name)))
    return checks


def _expectation(rule: dict[str, Any]) -> Any:
    """The expectation that a rule of a suite describes."""
    from great_expectations.expectations.registry import get_expectation_impl

    return get_expectation_impl(rule["type"])(**rule.get("kwargs", {}))


def _check(shard: str, rule: dict[str, Any], result: Any, frame: pd.DataFrame, places: Sequence[Any] | None) -> Check:
    """The outcome of one expectation as a `Check`, with the first failing rows."""
    settings = rule.get("kwargs", {})
    details = result.result
    failing = details.get("unexpected_index_list") or []
    names = [*(settings.get(key) for key in ("column", "column_A", "column_B")), *settings.get("column_list", [])]
    columns = [name for name in names if name in frame.columns]
    rows = [
        {"place": str(places[number]) if places else f"row {number}", "values": frame.loc[number, columns].to_dict()}
        for number in failing[:SHOWN_ROWS]
    ]
    return Check(
        shard=shard,
        expectation=rule["type"],
        settings=settings,
        success=bool(result.success),
        failed=int(details.get("unexpected_count") or 0),
        rows=rows,
        observed=_observed(details, result.exception_info),
    )


def _observed(details: dict[str, Any], errors: dict[str, Any]) -> Any:
    """The observed value, or the reason why an expectation could not be evaluated."""
    if not details:  # `errors` is one error, or has one for each metric
        causes = [errors] if "exception_message" in errors else errors.values()
        return "; ".join(dict.fromkeys(str(cause["exception_message"]) for cause in causes))
    if "partial_missing_list" in details:  # a comparison of sets, which has no observed value
        unexpected, missing = (
            ", ".join(map(str, details[f"partial_{side}_list"])) or "none" for side in ("unexpected", "missing")
        )
        return f"unexpected {unexpected}; missing {missing}"
    return details.get("observed_value", details.get("details"))


def _shorten(value: Any) -> str:
    """The text of a value on one line, truncated if it is long."""
    text = " ".join(str(value).split())
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}… ({len(text):,} characters)"


def _to_yaml(value: Any) -> str:
    """A value as JSON that is valid YAML: without surrogate pairs, and with all characters beyond ASCII escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(r"[^ -~]", lambda match: f"\\U{ord(match[0]):08x}", text)


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .4rem .6rem; vertical-align: top; border-bottom: 1px solid #8884 }
.bad { color: #c22 } .good { color: #282 } code { font-size: .85em; overflow-wrap: anywhere }
</style>
<h1>{{ title }}</h1>
<p>{{ checks | length }} checks, <strong class="{{ 'bad' if failed else 'good' }}">{{ failed }} failed</strong>.</p>
<table><tr><th>Outcome<th>File<th>Expectation<th>Rows that fail</tr>
{% for check in checks %}<tr>
<td class="{{ 'good' if check.success else 'bad' }}">{{ 'holds' if check.success else 'fails' }}
<td>{{ check.shard }}<td><code>{{ check.expectation }}</code><br><code>{{ check.settings | shorten }}</code>
<td>{% if check.success %}none{% else %}{{ check.failed or '' }}
{% for row in check.rows %}<br><code>{{ row.place }}: {{ row['values'] }}</code>
{% else %}<code>{{ check.observed | shorten }}</code>
{% endfor %}{% endif %}</tr>
{% endfor %}</table>
</html>
"""
