"""From what was measured here to the paper's scale (sections 3.1 and 3.2): how much of what it would take.

Work on the general text grows with its bytes, retrieval with its bytes and the number of anchors, distillation with its
steps; so a measured speed is carried over as it is, and what it is multiplied with is stated. GPU hours are operations
by the speed that is assumed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transformers import BertConfig, RobertaConfig

from textbook.models.flops import distillation_flops, encoder_flops
from textbook.reporting.paper import paper_rows

TEXT_BYTES = 160e9
STEPS, BATCH, TEACHER_LAYER = 400_000, 256, 19
TEACHER = RobertaConfig(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096)
STUDENT = BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536)
TEACHER_EPOCHS = 10
H100 = 800e12  # FLOP/s in bf16 that its matrix products reach
SHARES = (0.1, 0.25, 0.5)  # of that, which a loop may reach
RANK_BYTES = 8  # for each sentence of the corpus, while a textbook is merged; one of pairs takes 4 more

Line = tuple[str, ...]


@dataclass(frozen=True)
class Scale:
    """Lines of text.

    Of `text`, work on the general text, and of `gpu`, training, the first is a head; `limits` are what breaks first,
    how large it gets, and what the design does about it.
    """

    text: Sequence[Line]
    gpu: Sequence[Line]
    limits: Sequence[Line]
    cost_per_hour: float


def scale(retrieval: Mapping[str, Any], distillation: Mapping[str, Any], cost_per_hour: float) -> Scale:
    """What the paper's eight tasks would take.

    Args:
        retrieval: figures of `make bench-retrieval`.
        distillation: figures of `make bench-distill`.
        cost_per_hour: of a GPU.
    """
    factor = TEXT_BYTES / retrieval["text_bytes"]
    tasks = {row["task"]: int(row["cases"]) for row in paper_rows("table1") if row["corpus"] == "task"}
    anchors = sum(cases * (1 if task in ("sst2", "cola") else 2) for task, cases in tasks.items())
    return Scale(
        _text(retrieval, factor, anchors, len(tasks)),
        _gpu(tasks, distillation, cost_per_hour),
        _limits(retrieval, factor),
        cost_per_hour,
    )


def _text(found: Mapping[str, Any], factor: float, anchors: int, tasks: int) -> list[Line]:
    cores = found["threads"]

    def line(what: str, seconds: float, times: float, size: float = 0.0) -> Line:
        hours = seconds * cores / 3600
        return (
            what,
            f"{seconds:,.0f} s on {cores} cores",
            f"x {times:,.0f}",
            f"{hours * times:,.0f} core hours",
            f"{size * factor / 1e9:,.0f} GB" if size else "",
        )

    index_seconds = found["sentences"] / found["index_sentences_per_second"]
    search_seconds = found["anchors"] / found["textbook_anchors_per_second"]
    return [
        ("step", "measured", "times", "at 160 GB", "on disk"),
        line("raw text to sentences, each once", found["ingest_seconds"], factor, found["corpus_bytes"]),
        line("checking them (Great Expectations)", found["validation_seconds"], factor),
        line("index", index_seconds, factor, found["index_bytes"]),
        line(
            f"textbooks of {tasks} tasks ({anchors:,} anchors, here {found['anchors']:,})",
            search_seconds,
            factor * anchors / found["anchors"],
        ),
    ]


def _gpu(tasks: Mapping[str, int], found: Mapping[str, Any], cost_per_hour: float) -> list[Line]:
    length = round(found["tokens_per_sentence"])
    per_sentence = float(distillation_flops(TEACHER, TEACHER_LAYER, STUDENT, STUDENT.num_hidden_layers, length))
    student = STEPS * BATCH * per_sentence
    teachers = TEACHER_EPOCHS * sum(tasks.values()) * 3 * float(encoder_flops(TEACHER, 2 * length))
    reached = found["share_of_peak"]

    def line(what: str, flops: float) -> Line:
        hours = [flops / (H100 * share) / 3600 for share in SHARES]
        here = flops / (reached * found["peak_tflops"] * 1e12) / 3600
        return (
            what,
            f"{flops:.1e}".replace("e+", "e"),
            f"{here:,.0f} h",
            *(f"{h:,.0f} h, {h * cost_per_hour:,.0f}" for h in hours),
        )

    return [
        (
            "step",
            "operations",
            f"{found['device']}, {reached:.0%}",
            *(f"H100, {share:.0%}" for share in SHARES),
        ),
        line(f"{len(tasks)} teachers, {TEACHER_EPOCHS} epochs", teachers),
        line(f"a student: {STEPS:,} steps of {BATCH} x {length} tokens", student),
        line(f"a column of Table 2: {len(tasks)} students", len(tasks) * student),
    ]


def _limits(found: Mapping[str, Any], factor: float) -> list[Line]:
    sentences = found["sentences"] * factor
    return [
        (
            "the index, memory-mapped",
            f"{found['index_bytes'] * factor / 1e9:,.0f} GB: more than memory, so a search reads from the disk",
            "First to break. Shards are searched one after the other for a whole batch of anchors, so each is read in "
            "order and once per batch; it wants an NVMe disk, or larger batches.",
        ),
        (
            "the best rank and score of each sentence, while a textbook is merged",
            f"{sentences * RANK_BYTES / 1e9:,.0f} GB of memory",
            "Grows with the corpus, not with anchors times k; a machine with so much memory does.",
        ),
        (
            "ingest and indexing",
            f"{found['ingest_peak_gb']:.1f} and {found['index_peak_gb']:.1f} GB of memory, as here",
            "Shard by shard, side by side with Ray; duplicates are found by sorting on the disk.",
        ),
        (
            "hashing by DVC",
            f"{(found['corpus_bytes'] + found['index_bytes']) * factor / 1e9:,.0f} GB to read once",
            "A hash is remembered by size and time of the file, so unchanged shards are never read again.",
        ),
    ]
