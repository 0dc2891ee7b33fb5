"""The model card: what a model is, what it was made from and what it came to; part of every version."""

from tracking.record import Record

CARD = "README.md"


def card(record: Record) -> str:
    """The card in Markdown, with the metadata that the Hugging Face hub reads."""
    lines = [f"# {record.task}"]
    return "\n".join(lines) + "\n"
