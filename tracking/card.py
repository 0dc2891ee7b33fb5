"""The model card: what a model is, what it was made from, what it came to and what it isn't for."""

from jinja2 import Environment

from tracking.record import Record

CARD = "README.md"
COST = "cost/"  # what figures of cost begin with, see `usage`

_TEXT = """\
---
library_name: transformers
pipeline_tag: text-classification
tags:
- textbook
- distillation
---

# {{ record.task }}

{{ summary }}

| | |
|---|---|
| task | `{{ record.task }}`{% if labels %}, with the labels {{ labels }}{% endif %} |
| student starts from | {{ record.init }} |
| teacher | {{ record.teacher }}{% if asset %}, made of the asset `{{ asset }}`{% endif %} |
| textbook | {{ record.textbook }} |
| MLflow | cell `{{ record.digest }}` |

```python
from transformers import pipeline

pipeline("text-classification", "<this folder>")({{ example }})
```

## Metrics

On the validation data; those of several seeds are means, `_std` their standard deviation.

| metric | value |
|---|---:|
{% for name, value in metrics %}| {{ name }} | {{ value }} |
{% endfor %}
## Cost

{% for name, value in costs %}- {{ name }}: {{ "%.4g"|format(value) }}
{% else %}Not measured.
{% endfor %}
## Data

What it was made from, with the hashes under which DVC keeps it:

| used as | path | MD5 |
|---|---|---|
{% for input in record.inputs %}| {{ input.context }} | `{{ input.path }}` | `{{ input.digest or "unknown" }}` |
{% endfor %}
The code: git commit `{{ record.tags.get("mlflow.source.git.commit", "unknown") }}`\
{% if record.tags.get("git.dirty") == "true" %}, with changes that were not committed{% endif %}.

## Limits

- It answers the one question of its task, whatever the text is about.
- It was trained on texts of up to {{ tokens }} tokens, and cuts longer ones.
- Its figures hold for texts like the validation data. On others, measure it before you rely on it.
- What its teacher and its texts get wrong or hold against someone, it may have learned. It was not examined for that.

## Parameters

| parameter | value |
|---|---|
{% for name, value in parameters %}| {{ name }} | {{ value }} |
{% endfor %}"""
_TEMPLATE = Environment(keep_trailing_newline=True, autoescape=False).from_string(_TEXT)


def summary(record: Record) -> str:
    """A sentence on what the model is and how good."""
    size = record.metrics.get("student/parameters")
    score = record.metrics.get("student/score")
    words = f"A small classifier{f' of {size / 1e6:.1f} million parameters' if size else ''} for `{record.task}`,"
    words += f" distilled from a larger one on the {record.textbook} textbook"
    return words + (f"; it scores {score:.1f} on the validation data." if score is not None else ".")


def card(record: Record) -> str:
    """The card in Markdown, with the metadata that the Hugging Face hub reads."""
    params = record.params
    names = ("text", "text_pair")
    example = dict(zip(names, record.example, strict=True)) if len(record.example) == 2 else [*record.example, ""][0]
    figures = sorted(record.metrics.items())
    return _TEMPLATE.render(
        record=record,
        summary=summary(record),
        labels=", ".join(map(str, params.get(f"tasks.{record.task}.labels") or ())),
        asset=params.get("teacher.asset"),
        example=repr(example),
        metrics=[(name, value) for name, value in figures if not name.startswith(COST)],
        costs=[(name.removeprefix(COST), value) for name, value in figures if name.startswith(COST)],
        tokens=params.get("adapt.max_length", "so many"),
        parameters=[(name, _cell(value)) for name, value in params.items()],
    )


def _cell(value: object) -> str:
    """A value as the cell of a Markdown table."""
    return " ".join(str(value).split()).replace("|", "\\|")
