"""The report: one HTML page that needs nothing beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment

from textbook.files import write_aside


@dataclass(frozen=True)
class TaskSection:
    """What the report says of one task; `curves` are SVG elements by caption."""

    task: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, ...]]
    gain: float
    textbook: dict[str, int | str]
    kind: str
    examples: Sequence[str]
    curves: dict[str, str]
    registered: dict[str, str]


@dataclass(frozen=True)
class AnalysisSection:
    """What the textbooks are made of: tables (header first) and SVG elements, by caption."""

    tables: dict[str, list[list[str]]]
    figures: dict[str, str]


def write_page(sections: Sequence[TaskSection], analysis: AnalysisSection | None, path: Path) -> None:
    """Write the page, whole or not at all."""
    page = Environment(autoescape=True, trim_blocks=True).from_string(_PAGE)
    html = page.render(sections=sections, analysis=analysis)
    with write_aside(path) as aside:
        aside.write_text(html, encoding="utf-8")


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>textbook: report</title>
<style>
:root { color-scheme: light dark; font: 16px/1.55 system-ui, sans-serif }
body { max-width: 52rem; margin: 2rem auto; padding: 0 1rem }
h1 { margin-bottom: 0 } h2 { margin-top: 2.5rem; border-bottom: 1px solid #8886 }
.scroll { overflow-x: auto } table { border-collapse: collapse; width: 100% }
th, td { padding: .4rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid #8884 }
th:first-child, td:first-child { text-align: left } .models tr:last-child td { font-weight: 600 }
caption { text-align: left; font-size: .9rem; opacity: .75; margin-top: 1.5rem }
figure { margin: 1.5rem 0 } figcaption { font-size: .9rem; opacity: .75 } svg { width: 100%; height: auto }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem }
dt { opacity: .75 } dd { margin: 0; overflow-wrap: anywhere }
blockquote { margin: .3rem 0; padding-left: .8rem; border-left: 3px solid #8886 }
</style>
<h1>textbook</h1>
<p>What each task's student learned, and what it costs.</p>
{% for section in sections %}
<h2>{{ section.task }}</h2>
<p>The distilled student against the same student without distillation:
<strong>{{ '%+.1f' | format(section.gain) }} points</strong>
({{ section.columns[1] }} on validation data in percent, mean and standard deviation over seeds).</p>
<div class="scroll"><table class="models"><tr>{% for column in section.columns %}<th>{{ column }}</th>{% endfor %}</tr>
{% for row in section.rows %}
<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</table></div>
{% for caption, svg in section.curves.items() %}
<figure>{{ svg | safe }}<figcaption>{{ caption }}</figcaption></figure>
{% endfor %}
<h3>The textbook ({{ section.kind }})</h3>
<dl>
{% for name, count in section.textbook.items() %}
<dt>{{ name.replace('_', ' ') }}</dt><dd>{{ count if count is string else '{:,}'.format(count) }}</dd>
{% endfor %}
</dl>
<p>Sentences at even distances, from its beginning to its end:</p>
{% for sentence in section.examples %}
<blockquote>{{ sentence }}</blockquote>
{% endfor %}
<h3>Where it came from</h3>
<dl>{% for name, value in section.registered.items() %}<dt>{{ name }}</dt><dd>{{ value }}</dd>{% endfor %}</dl>
{% endfor %}
{% if analysis %}
<h2>What the textbooks are made of</h2>
{% for caption, svg in analysis.figures.items() %}
<figure>{{ svg | safe }}<figcaption>{{ caption }}</figcaption></figure>
{% endfor %}
{% for caption, rows in analysis.tables.items() %}
<div class="scroll"><table><caption>{{ caption }}</caption>
<tr>{% for cell in rows[0] %}<th>{{ cell.replace('_', ' ') }}</th>{% endfor %}</tr>
{% for row in rows[1:] %}
<tr>{% for cell in row %}<td>{{ '{:,}'.format(cell | int) if cell.isdecimal() else cell }}</td>{% endfor %}</tr>
{% endfor %}
</table></div>
{% endfor %}
{% endif %}
</html>
"""
