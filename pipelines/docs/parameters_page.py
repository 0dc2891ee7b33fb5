"""The reference of all parameters, from the JSON schema that pydantic derives from `textbook.params`."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from textbook.params import Params

Schema = Mapping[str, Any]

_KINDS = {"integer": "integer", "number": "number", "string": "text", "boolean": "true or false", "null": "`null`"}
_BOUNDS = {
    "exclusiveMinimum": "above",
    "minimum": "at least",
    "exclusiveMaximum": "below",
    "maximum": "at most",
}
_LARGE = {10**12: "10¹²", 10**6: "10⁶", 10**5: "10⁵", 2**32: "2³²"}
_PATTERNS = {
    "^[a-z][a-z0-9_]*$": "name",
    "^[0-9a-f]{40}$": "commit hash of 40 hexadecimal digits",
    "^[0-9a-f]{64}$": "hash of 64 hexadecimal digits",
    "^[a-z]{2,3}$": "two or three lower-case letters",
}


def parameters_page(shipped: Mapping[str, Any]) -> str:
    """The reference in Markdown: a heading for each section, and a definition for each parameter.

    Args:
        shipped: the content of the shipped parameter file; its values stand beside the types.
    """
    schema = Params.model_json_schema()
    parts = []
    for name, reference in schema["properties"].items():
        section = _resolve(reference, schema)
        if "properties" in section:
            parts += [f"## {name}", _prose(section)]
            parts += _parameters(name, section, schema, shipped[name])
        else:  # a mapping with names of the user's, such as `tasks`
            parts += [f"## {name}", _prose(reference)]
            parts += _parameters(f"{name}.‹name›", _named(section, schema), schema, None)
    return "\n\n".join(parts)


def _parameters(prefix: str, section: Schema, schema: Schema, shipped: Any) -> Iterator[str]:
    """The definitions of a section's parameters, and of those of the sections in it."""
    for key, field in section["properties"].items():
        name = f"{prefix}.{key}"
        value = shipped[key] if isinstance(shipped, dict) and key in shipped else None
        inner = _section_of(field, schema)
        by_name = _named(field, schema)
        notes = [_kind(field, schema)]
        if isinstance(shipped, dict) and not by_name and not (inner and value):
            notes.append(f"shipped: `{_yaml(value)}`")
        elif "default" in field or "Default:" in field["description"]:
            notes.append("may be left out")
        yield f"`{name}`{{ #{anchor(name)} }} · {' · '.join(notes)}\n:   {_prose(field, ' ' * 4)}"
        if inner or by_name:
            below = f"{name}.‹name›" if by_name else name
            yield from _parameters(below, inner or by_name, schema, value if inner else None)


def anchor(name: str) -> str:
    """The id of a parameter's definition in the page."""
    return name.replace(".‹name›", "").replace(".", "-")


def _resolve(field: Schema, schema: Schema) -> Schema:
    """A field, or the section that it refers to."""
    reference = field.get("$ref", "")
    return schema["$defs"][reference.rpartition("/")[2]] if reference else field


def _section_of(field: Schema, schema: Schema) -> Schema:
    """The section that a field, or one of its alternatives, is or lists; empty if there is none."""
    for option in field.get("anyOf", [field]):
        section = _resolve(option.get("items", option), schema)
        if "properties" in section:
            return section
    return {}


def _named(field: Schema, schema: Schema) -> Schema:
    """The section that each value of a mapping with names of the user's is; empty if the field is no such mapping."""
    return next((_section_of(value, schema) for value in field.get("patternProperties", {}).values()), {})


def _kind(field: Schema, schema: Schema) -> str:
    """The type and the bounds of a value, in words."""
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_kind(option, schema) for option in field["anyOf"]))
    if "enum" in field or "const" in field:
        return " or ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    if "$ref" in field:
        return "section"
    if field["type"] == "array":
        return f"list{_length(field)} of {_kind(field['items'], schema)}"
    if field["type"] == "object":
        return "section for each name" if _named(field, schema) else "mapping"
    if field.get("maxLength") == 1:
        return "one character"
    kind = _PATTERNS.get(field.get("pattern", ""), _KINDS[field["type"]])
    bounds = [f"{text} {_LARGE.get(field[key], field[key])}" for key, text in _BOUNDS.items() if key in field]
    return f"{kind} ({', '.join(bounds)})" if bounds else kind


def _length(field: Schema) -> str:
    """How many values a list may have."""
    least, most = field.get("minItems"), field.get("maxItems")
    if most:
        return f" ({least})" if least == most else f" ({least} to {most})"
    return f" ({least} or more)" if least else ""


def _prose(field: Schema, margin: str = "") -> str:
    """The help text, with each paragraph on one line.

    Args:
        margin: what begins every paragraph but the first.
    """
    paragraphs = str(field["description"]).split("\n\n")
    return f"\n\n{margin}".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _yaml(value: Any) -> str:
    """A value as YAML has it, on one line."""
    is_json = value is None or isinstance(value, bool | list | dict)
    return json.dumps(value, ensure_ascii=False) if is_json else str(value)
