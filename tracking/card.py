"""The model card: a model's inputs, metrics, costs and limits."""

import re
from html import escape

from jinja2 import Environment

from tracking.record import Record

CARD = "README.md"
COST = "cost/"  # prefix of the metrics on costs, see `usage`

_TEXT = """\
---
library_name: transformers
pipeline_tag: text-classification
tags:
- textbook
- distillation
---

# {{ record.task|text }}

{% if record.concern %}**{{ record.concern|text }}**

{% endif %}\
{{ summary }}
{% if results %}
Measured on the validation data; ± is the standard deviation over seeds, [ ] a 95 % confidence interval.

| {{ results[0]|map("text")|join(" | ") }} |
|---|{{ "---:|" * (results[0]|length - 1) }}
{% for row in results[1:] %}| {{ row|map("text")|join(" | ") }} |
{% endfor %}{% endif %}
| | |
|---|---|
| task | {{ record.task|code }}{% if labels %}, with the labels {{ labels|map("text")|join(", ") }}{% endif %} |
| student init | {{ record.init|text }} |
| teacher | {{ record.teacher|text }}{% if asset %}, from the asset {{ asset|code }}{% endif %} |
| textbook | {{ record.textbook|text }} |
| MLflow | cell {{ record.digest|code }} |

```python
from transformers import pipeline

pipeline("text-classification", "<this folder>")({{ example }})
```

## Cost

{% for name, value in costs %}- {{ name }}: {{ "%.4g"|format(value) }}
{% else %}Not measured.
{% endfor %}
## Data

The inputs, with their hashes in DVC:

| role | path | MD5 |
|---|---|---|
{% for input in record.inputs %}| {{ input.context }} | {{ input.path|code }} | {{ (input.digest or "unknown")|code }} |
{% endfor %}{% if record.pairs %}
The pairs of the textbook, beside those of the task. The overlap is the share of words that are in both texts.

| figure | value |
|---|---:|
{% for name, value in record.pairs.items() %}| {{ name.replace("_", " ")|text }} | {{ value }} |
{% endfor %}{% endif %}
Code: git commit {{ record.tags.get("mlflow.source.git.commit", "unknown")|code }}\
{% if record.tags.get("git.dirty") == "true" %}, with uncommitted changes\
{% elif record.tags.get("git.dirty") == "unknown" %}, perhaps with uncommitted changes{% endif %}.

## Limits

- The model always answers the question of its task, even for unrelated texts.
- It was trained on texts of up to {{ tokens }} tokens. Longer texts are truncated.
- The metrics hold for texts like the validation data. Measure the model on other texts before you rely on it there.
- The model may have learned errors and biases of its teacher and its training texts. It was not tested for them.

## All metrics

Measured on the validation data. With several seeds, a value is the mean and `_std` the standard deviation.

| metric | value |
|---|---:|
{% for name, value in metrics %}| {{ name }} | {{ value }} |
{% endfor %}
## Parameters

| parameter | value |
|---|---|
{% for name, value in record.params.items() %}| {{ name|text }} | {{ value|text }} |
{% endfor %}"""


def _escape_text(value: object) -> str:
    """A value as plain text in Markdown, on one line, also in a cell of a table: no markup of its own takes effect."""
    return re.sub(r"([\\`*\[\]|~])", r"\\\1", escape(" ".join(str(value).split()), quote=False))


def _escape_code(value: object) -> str:
    """A value as a code span in a cell of a table. Its fence is longer than any backticks in the value."""
    text = " ".join(str(value).split()).replace("|", "\\|")
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if len(fence) > 1 else ""
    return f"{fence}{space}{text}{space}{fence}"


_ENVIRONMENT = Environment(keep_trailing_newline=True, autoescape=False)
_ENVIRONMENT.filters |= {"text": _escape_text, "code": _escape_code}
_TEMPLATE = _ENVIRONMENT.from_string(_TEXT)


def summary(record: Record) -> str:
    """One sentence that describes the model, its size and its score."""
    size = record.metrics.get("student/parameters")
    score = record.metrics.get("student/score")
    text = f"A small classifier{f' of {size / 1e6:.1f} million parameters' if size else ''} for"
    text += f" {_escape_code(record.task)},"
    text += f" distilled from a larger one on the {record.textbook} textbook"
    return text + (f"; it scores {score:.1f} on the validation data." if score is not None else ".")


def card(record: Record) -> str:
    """The card in Markdown, with the metadata of the Hugging Face hub."""
    params = record.params
    names = ("text", "text_pair")
    example = dict(zip(names, record.example, strict=True)) if len(record.example) == 2 else [*record.example, ""][0]
    figures = sorted(record.metrics.items())
    return _TEMPLATE.render(
        record=record,
        summary=summary(record),
        labels=params.get(f"tasks.{record.task}.labels") or (),
        asset=params.get("teacher.asset"),
        results=record.results,
        example=repr(example),
        metrics=[(name, value) for name, value in figures if not name.startswith(COST)],
        costs=[(name.removeprefix(COST), value) for name, value in figures if name.startswith(COST)],
        tokens=params.get("adapt.max_length", "an unknown number of"),
    )
