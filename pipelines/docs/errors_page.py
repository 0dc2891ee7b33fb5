"""The list of all error messages with cause and remedy, for the page "Troubleshooting"."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipelines.docs.messages_in_code import Message


@dataclass(frozen=True)
class Advice:
    """Why some messages arise, and what to do."""

    group: str
    cause: str
    remedy: str
    says: tuple[str, ...] = ()
    """Parts of messages: a message that contains one of them is meant."""
    file: str = ""
    """A source file: all messages in it are meant that no other advice is for."""


def read_advice(path: Path) -> list[Advice]:
    """Read causes and remedies, by group, from a YAML file."""
    groups: dict[str, list[dict[str, Any]]] = YAML(typ="safe", pure=True).load(path)
    entries = [(group, dict(entry)) for group, entries in groups.items() for entry in entries]
    for _, entry in entries:
        says = entry.get("says", ())
        entry["says"] = (says,) if isinstance(says, str) else tuple(says)
    return [Advice(group, **entry) for group, entry in entries]


def assign(messages: Iterable[Message], advice: Sequence[Advice]) -> tuple[dict[Advice, list[str]], list[str]]:
    """Find the advice for each message: the one that contains the longest part of it.

    Returns:
        The distinct messages for each advice, and what is wrong: messages without advice, and parts that are in no
        message.
    """
    parts = {part: entry for entry in advice for part in entry.says}
    files = {entry.file: entry for entry in advice if entry.file}
    assigned: dict[Advice, list[str]] = {entry: [] for entry in advice}
    wrong, used = [], set()
    for message in messages:
        part = max((part for part in parts if part in message.text), key=len, default="")
        entry = parts.get(part) or files.get(message.file)
        used.add(part)
        if entry is None:
            wrong.append(f"{message.file}:{message.line}: no advice for this message: {message.text}")
        elif message.text not in assigned[entry]:
            assigned[entry].append(message.text)
    wrong += [f"no message is found by {part!r}" for part in parts if part not in used]
    return assigned, wrong


def errors_page(assigned: Mapping[Advice, Sequence[str]]) -> str:
    """The list in Markdown, with a heading for each group."""
    sections = []
    for group, entries in groupby(assigned, key=lambda entry: entry.group):
        blocks = [_block(assigned[entry], entry) for entry in entries]
        sections.append("\n\n".join([f"### {group}", *blocks]))
    return "\n\n".join(sections)


def _block(messages: Sequence[str], entry: Advice) -> str:
    """The messages as terms of a definition list, defined by cause and remedy."""
    terms = "\n".join(f"`` {' '.join(message.split()).strip(':; ')} ``" for message in messages)
    return f"{terms}\n:   {entry.cause}\n\n    *Remedy:* {entry.remedy}"
