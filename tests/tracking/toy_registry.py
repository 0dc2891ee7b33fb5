"""A record of an untrained classifier, and what the tests of the registry do with it."""

from dataclasses import replace

from textbook.models.classifier import load_classifier
from textbook.models.encoder import load_tokenizer
from textbook.params import Registry
from tracking.promotion import TRAINING_ROWS, Measured
from tracking.record import Input, Record
from tracking.registry import register
from tracking.runs import record_cell

RULES = Registry(margin=0.5, max_slowdown=1.5, min_data=0.9, allow_worse=False, fastest_within=None)
CHAMPION = Measured(score=80.0, ms_per_sentence=2.0, training_rows=1000, behind=0.5)


def make_record(encoder, folder):
    """The record of an untrained classifier, which is written to a folder."""
    load_classifier(encoder, ["bad", "good"], seed=0).save_pretrained(folder)
    load_tokenizer(encoder).save_pretrained(folder)
    return Record(
        "first",
        "reviews",
        "random",
        "task",
        "contextualized",
        params={"tasks.reviews.labels": ["bad", "good"], "adapt.max_length": 64, "teacher.asset": "large|one"},
        tags={"mlflow.source.git.commit": "c0ffee", "git.dirty": "true"},
        inputs=[Input("textbook", folder, "d1ce")],
        metrics={"student/score": 81.25, "cost/device_hours": 0.5},
        model=folder,
        example=["the film is great"],
    )


def add(client, experiment, record, digest, **tags):
    """Register the record under another digest, and return the version."""
    run_id = record_cell(client, experiment, replace(record, digest=digest))
    return register(client, "reviews", run_id, {TRAINING_ROWS: "1000", **tags}, "from a test")


def no_comparison(_folder, _rows):
    raise AssertionError("there is no champion to compare with")


def with_score(score, **changes):
    """A comparison in which the new version has a given score, and is otherwise like the champion but for changes."""
    return lambda folder, rows: (replace(CHAMPION, training_rows=rows), replace(CHAMPION, score=score, **changes))


def aliases(client):
    return {alias: str(version) for alias, version in client.get_registered_model("reviews").aliases.items()}
