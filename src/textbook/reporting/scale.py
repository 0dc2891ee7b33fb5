"""An estimate of time, memory and cost at the paper's scale (sections 3.1 and 3.2), from the measurements made here.

Work on the general text grows with its bytes, retrieval also with the number of anchors, and distillation with its
steps. So the measured speeds are used unchanged, and the report states the factor. GPU hours are operations divided by
an assumed speed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from textbook.files import read_json
from textbook.models.flops import distillation_flops, encoder_flops
from textbook.reporting.paper import paper_rows
from textbook.textbooks.contextualized import BATCH_HITS

TEXT_BYTES = 160e9  # of general text
STEPS, BATCH, TEACHER_LAYER = 400_000, 256, 19
# What operations are counted from. The configurations of transformers would take seconds to import.
TEACHER = SimpleNamespace(model_type="roberta", hidden_size=1024, num_hidden_layers=24, intermediate_size=4096)
STUDENT = SimpleNamespace(model_type="bert", hidden_size=384, num_hidden_layers=6, intermediate_size=1536)
TEACHER_EPOCHS = 10
H100 = 800e12  # FLOP/s that matrix products reach in bf16
SHARES = (0.1, 0.25, 0.5)  # utilisations of that speed to assume for a training loop
RETRIEVAL, DISTILLED = "retrieval.json", ("distill-gpu.json", "distill-cpu.json")
HIT_BYTES = 100  # of memory for each hit of a batch of anchors, while it is searched and merged

TableLine = tuple[str, ...]


@dataclass(frozen=True)
class Scale:
    """The estimate, as lines of text."""

    text: Sequence[TableLine]
    """The work on the general text, header first."""
    gpu: Sequence[TableLine]
    """The training, header first."""
    limits: Sequence[TableLine]
    """The limits that are reached first: the resource, its size, and how the design deals with it."""
    cost_per_hour: float
    """The price of a GPU hour."""


def measured_scale(results: Path, cost_per_hour: float) -> Scale | None:
    """The estimate from the figures of `make bench` on the largest corpus and the fastest device; None without them.

    Args:
        results: the folder with the figures.
        cost_per_hour: the price of a GPU hour.
    """
    distilled = [path for name in DISTILLED if (path := results / name).is_file()]
    if not distilled or not (results / RETRIEVAL).is_file():
        return None
    retrieval = read_json(results / RETRIEVAL)
    profiles = [retrieval, *(figures for figures in retrieval.values() if isinstance(figures, dict))]
    largest = max(profiles, key=lambda figures: figures["sentences"])
    return scale(largest, read_json(distilled[0]), cost_per_hour)


def scale(retrieval: Mapping[str, Any], distillation: Mapping[str, Any], cost_per_hour: float) -> Scale:
    """Estimate the work for the paper's eight tasks.

    Args:
        retrieval: figures of `make bench-retrieval`.
        distillation: figures of `make bench-distill`.
        cost_per_hour: the price of a GPU hour.
    """
    factor = TEXT_BYTES / retrieval["text_bytes"]
    tasks = {row["task"]: int(row["cases"]) for row in paper_rows("table1") if row["corpus"] == "task"}
    anchors = sum(cases * (1 if task in ("sst2", "cola") else 2) for task, cases in tasks.items())
    return Scale(
        _text_lines(retrieval, factor, anchors, len(tasks)),
        _gpu_lines(tasks, distillation, cost_per_hour),
        _limit_lines(retrieval, factor),
        cost_per_hour,
    )


def _text_lines(retrieval: Mapping[str, Any], factor: float, anchors: int, tasks: int) -> list[TableLine]:
    cores = retrieval["threads"]

    def line(step: str, seconds: float, step_factor: float, measured_bytes: float = 0.0) -> TableLine:
        hours = seconds * cores / 3600
        return (
            step,
            f"{seconds:,.0f} s on {cores} cores",
            f"x {step_factor:,.0f}",
            f"{hours * step_factor:,.0f} core hours",
            f"{measured_bytes * factor / 1e9:,.0f} GB" if measured_bytes else "",
        )

    index_seconds = retrieval["sentences"] / retrieval["index_sentences_per_second"]
    search_seconds = retrieval["anchors"] / retrieval["textbook_anchors_per_second"]
    return [
        ("step", "measured", "factor", "at 160 GB", "on disk"),
        line("splitting into distinct sentences", retrieval["ingest_seconds"], factor, retrieval["corpus_bytes"]),
        line("validation (Great Expectations)", retrieval["validation_seconds"], factor),
        line("index", index_seconds, factor, retrieval["index_bytes"]),
        line(
            f"textbooks of {tasks} tasks ({anchors:,} anchors; measured with {retrieval['anchors']:,})",
            search_seconds,
            factor * anchors / retrieval["anchors"],
        ),
    ]


def _gpu_lines(tasks: Mapping[str, int], distillation: Mapping[str, Any], cost_per_hour: float) -> list[TableLine]:
    length = round(distillation["tokens_per_sentence"])
    per_sentence = float(distillation_flops(TEACHER, TEACHER_LAYER, STUDENT, STUDENT.num_hidden_layers, length))
    student = STEPS * BATCH * per_sentence
    teachers = TEACHER_EPOCHS * sum(tasks.values()) * 3 * float(encoder_flops(TEACHER, 2 * length))
    measured_share = distillation["share_of_peak"]

    def line(step: str, flops: float) -> TableLine:
        h100_hours = [flops / (H100 * share) / 3600 for share in SHARES]
        measured_hours = flops / (measured_share * distillation["peak_tflops"] * 1e12) / 3600
        return (
            step,
            f"{flops:.1e}".replace("e+", "e"),
            f"{measured_hours:,.0f} h",
            *(f"{hours:,.0f} h, {hours * cost_per_hour:,.0f}" for hours in h100_hours),
        )

    return [
        (
            "step",
            "operations",
            f"{distillation['device']}, {measured_share:.0%}",
            *(f"H100, {share:.0%}" for share in SHARES),
        ),
        line(f"{len(tasks)} teachers, {TEACHER_EPOCHS} epochs", teachers),
        line(f"one student: {STEPS:,} steps of {BATCH} x {length} tokens", student),
        line(f"one column of Table 2: {len(tasks)} students", len(tasks) * student),
    ]


def _limit_lines(retrieval: Mapping[str, Any], factor: float) -> list[TableLine]:
    return [
        (
            "the index, memory-mapped",
            f"{retrieval['index_bytes'] * factor / 1e9:,.0f} GB, more than memory, so searches read from disk",
            "A search reads each shard once for all anchors of a batch. On a Ray cluster, groups of shards are "
            "searched side by side.",
        ),
        (
            "merging a textbook: the hits of a batch of anchors",
            f"{BATCH_HITS * HIT_BYTES / 1e9:.1f} GB of memory",
            "The memory grows with the distinct sentences retrieved (20 bytes each), not with the corpus.",
        ),
        (
            "ingest and indexing",
            f"{retrieval['ingest_peak_gb']:.1f} and {retrieval['index_peak_gb']:.1f} GB of memory, as measured here",
            "Ray processes the shards in parallel, and duplicates are removed with an external sort on disk.",
        ),
        (
            "hashing by DVC",
            f"{(retrieval['corpus_bytes'] + retrieval['index_bytes']) * factor / 1e9:,.0f} GB to read once",
            "DVC remembers hashes by file size and modification time, so unchanged shards are not read again.",
        ),
    ]
