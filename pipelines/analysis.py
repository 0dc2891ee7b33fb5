"""Stage `analysis`: what the textbooks of all tasks are made of, beside the paper's figures."""

from pipelines.stage import REPORTS, TASKS, TEXTBOOKS, run
from textbook.evaluation.analysis import CONTEXTUALIZED, CORPORA, TASK, analyse
from textbook.files import read_json, write_aside, write_csv
from textbook.params import Params
from textbook.reporting.curves import dots
from textbook.reporting.paper import beside_paper


def analysis(params: Params) -> None:
    """Write Tables 1 and 3 and Figure 3 as CSV files, and the figure as SVG. A textbook not made has no row."""
    found = []
    for task in params.tasks:
        books = {name: TEXTBOOKS / task / f"{name}.parquet" for name in CORPORA if name != TASK}
        corpora = {TASK: TASKS / task / "train.parquet"} | {n: path for n, path in books.items() if path.is_file()}
        known = TEXTBOOKS / task / f"{CONTEXTUALIZED}.json"
        found.append(analyse(task, corpora, read_json(known)["k"] if CONTEXTUALIZED in corpora else None))
    overlaps = beside_paper("figure3", [row for each in found for row in each.overlaps])
    write_csv(REPORTS / "table1.csv", beside_paper("table1", [row for each in found for row in each.sizes]))
    write_csv(REPORTS / "table3.csv", beside_paper("table3", [row for each in found for row in each.diversity]))
    write_csv(REPORTS / "figure3.csv", overlaps)
    panels = {
        task: [
            (_label(row), row["overlap"], float(row["paper_overlap"]) if row["paper_overlap"] else None)
            for row in overlaps
            if row["task"] == task and row["against"] == TASK and row["corpus"] != TASK
        ]
        for task in params.tasks
    }
    with write_aside(REPORTS / "figure3.svg") as aside:
        aside.write_text(dots(panels, "most frequent words in common with the task, %"), encoding="utf-8")


def _label(row: dict[str, object]) -> str:
    return f"{row['corpus']}, top {row['top_percent']} %" if row["top_percent"] else str(row["corpus"])


if __name__ == "__main__":
    run(analysis)
