"""How time and memory grow with the text: from raw general text to a textbook, for several sizes of text.

    python -m benchmarks.scale                       # 0.4, 1.8, 5.3 and 10.2 GB: two hours, 40 GB of disk
    python -m benchmarks.scale --copies 1 4          # the first two sizes only
    python -m benchmarks.scale --folder /big/disk    # where the text is written

Text is that of the profile `glue`, once and in copies with other words (`benchmarks/larger_text.py`); the task is
SST-2 with 66,978 anchors. Each step runs in its own process, whose peak memory is measured. The bytes that the search
reads are those that the kernel reads from the disk for it, after the index was dropped from the kernel's cache.

Prints a table and writes `benchmarks/results/scale.json` after each size. A size that is there already for the same
code is not measured again.
"""

import argparse
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.child import in_child
from benchmarks.larger_text import COLUMN, write_copies
from benchmarks.profiles import load_profile
from benchmarks.retrieval import (
    HASH,
    PHRASES,
    STOP_WORDS,
    bytes_on_disk,
    check,
    index,
    merge,
    prepare,
    split,
    spread,
    timed,
    write_retrieved,
)
from pipelines.code import hash_code
from textbook.files import digest, read_json, remove, write_json
from textbook.params import Params
from textbook.params_file import check_params
from textbook.retrieval.engines import open_index
from textbook.tasks.splits import TRAIN, evaluation_sentences, read_split, sentences
from textbook.textbooks.contextualized import retrieve

RESULTS = Path("benchmarks/results/scale.json")
PROFILE, TASK, SOURCE = "glue", "sst2", "general_text"
COPIES = (1, 4, 12, 23)  # of 445 MB
K = 100
STAGES = ("sentences", "corpus", "index", "contextualized")  # of the pipeline, whose code does the steps
WARM = 2  # anchors before the measurement, for which the search is compiled
STEPS = ("split", "merge", "validate", "index", "textbook")
"""The steps from raw text to textbook, in their order."""


def of_copies(params: Params, copies: int, text: Path) -> Params:
    """The parameters with a source for each copy of the text in a folder."""
    raw = params.model_dump(mode="json")
    folders = {f"copy_{number:03}": text / f"{number:03}" for number in range(copies)}
    raw["assets"]["path"] |= {name: {"path": str(folder)} for name, folder in folders.items()}
    raw["corpus"]["sources"] = {name: {"asset": name, "column": COLUMN} for name in folders}
    return check_params(raw, "benchmark")


def textbook(folder: Path, task: Path) -> tuple[float, int, int]:
    """Seconds from anchors to the textbook on disk, its sentences, and the bytes that the search read from the disk."""
    anchors = sentences(read_split(task, TRAIN))
    evaluation, search = evaluation_sentences(task), open_index(folder / "index", HASH)
    retrieve(search, spread(anchors, WARM), k=K, phrases=PHRASES, stop_words=STOP_WORDS)
    _forget(folder / "index")

    def run() -> tuple[int, int]:
        before = _bytes_read()
        merged = retrieve(search, anchors, k=K, phrases=PHRASES, stop_words=STOP_WORDS)
        read = _bytes_read() - before
        return write_retrieved(merged, folder / "corpus", evaluation, folder / "book.parquet"), read

    seconds, (count, read) = timed(run)
    return seconds, count, read


def _forget(folder: Path) -> None:
    """Drop the files of a folder from the kernel's cache."""
    os.sync()  # what is not yet on the disk would stay
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _bytes_read() -> int:
    """The bytes that this process has read from disks so far."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["read_bytes"])


def measure(params: Params, copies: int, text: Path, folder: Path) -> dict[str, Any]:
    """All figures of one size."""
    seconds: dict[str, float] = {}
    peaks: dict[str, float] = {}

    def step(name: str, work: Callable[..., Any], *arguments: Any) -> Any:
        result, peaks[name] = in_child(work, *arguments)
        seconds[name] = result[0] if isinstance(result, tuple) else result
        print(f"{name:10} {seconds[name]:8,.0f} s {peaks[name]:6.2f} GB", flush=True)
        return result

    size = sum(_text_size(text / f"{number:03}") for number in range(copies))
    params = of_copies(params, copies, text)
    task = prepare(params, False, TASK, folder)
    step("split", split, params, folder)
    step("merge", merge, params, folder)
    remove(folder / "sentences")
    step("validate", check, params, folder)
    step("index", index, folder / "corpus", folder / "index")
    _, written, read = step("textbook", textbook, folder, task)
    return {
        "copies": copies,
        "gb": round(size / 1e9, 3),
        "sentences": int(read_json(folder / "corpus" / "corpus.json")["kept"]),
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "peak_gb": {name: round(value, 2) for name, value in peaks.items()},
        "index_bytes": bytes_on_disk(folder / "index"),
        "index_bytes_read": read,
        "anchors": len(sentences(read_split(task, TRAIN))),
        "textbook_sentences": written,
    }


def _text_size(folder: Path) -> int:
    """Bytes of the texts of all tables in a folder, without compression."""
    return sum(
        pc.sum(pc.binary_length(batch.column(0))).as_py() or 0
        for path in folder.glob("*.parquet")
        for batch in pq.ParquetFile(path).iter_batches(columns=[COLUMN])
    )


def exponent(points: list[Mapping[str, Any]], step: str | None = None) -> float | None:
    """The power of the size of the text with which the time grows, by least squares; None for fewer than two sizes."""
    if len(points) < 2:
        return None
    times = [point["seconds"][step] if step else sum(point["seconds"].values()) for point in points]
    slope = np.polyfit(np.log([point["gb"] for point in points]), np.log(times), 1)[0]
    return round(float(slope), 3)


def main() -> None:
    """Measure the sizes that are missing, one after the other, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--copies", type=int, nargs="+", default=COPIES, help="of the 445 MB")
    parser.add_argument("--folder", type=Path, default=Path(".cache/scale"))
    chosen = parser.parse_args()
    params = load_profile(PROFILE)
    code = digest(*(hash_code(f"pipelines.stages.{stage}") for stage in STAGES))
    results = read_json(RESULTS) if RESULTS.is_file() else {}
    points = {point["copies"]: point for point in results.get("points", []) if results.get("code") == code}
    tables = sorted(Path(params.assets.path[SOURCE].path).glob("*.parquet"))
    for copies in sorted(set(chosen.copies) - set(points)):
        write_copies(tables, chosen.folder / "text", range(copies))
        work = chosen.folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        points[copies] = measure(params, copies, chosen.folder / "text", work)
        shutil.rmtree(work)
        ordered = [points[number] for number in sorted(points)]
        exponents = {"exponent": exponent(ordered), "exponents": {step: exponent(ordered, step) for step in STEPS}}
        write_json(RESULTS, {"code": code, "threads": os.cpu_count(), "points": ordered, **exponents})
    for point in (points[number] for number in sorted(points)):
        steps = ", ".join(f"{name} {value:,.0f} s" for name, value in point["seconds"].items())
        share = point["index_bytes_read"] / point["index_bytes"]
        print(
            f"{point['gb']:6.2f} GB: {steps}; at most {max(point['peak_gb'].values())} GB; index read {share:.2f} times"
        )


if __name__ == "__main__":
    main()
