"""Stage `analysis`: statistics of the textbooks of all tasks, with the paper's figures."""

from pipelines.cli import run
from pipelines.paths import REPORTS, TASKS, TEXTBOOKS
from textbook.files import atomic_write, read_json, write_csv
from textbook.params import Params
from textbook.reporting.curves import dots
from textbook.reporting.paper import beside_paper
from textbook.retrieval.stop_words import read_stop_words
from textbook.textbooks.measures.analysis import CONTEXTUALIZED, CORPORA, TASK, analyse


def main(params: Params) -> None:
    """Write Tables 1 and 3 and Figure 3 as CSV files, and the figure as SVG. A missing textbook has no row."""
    analyses = []
    for task in params.tasks:
        books = {name: TEXTBOOKS / task / f"{name}.parquet" for name in CORPORA if name != TASK}
        corpora = {TASK: TASKS / task / "train.parquet"} | {n: path for n, path in books.items() if path.is_file()}
        figures = TEXTBOOKS / task / f"{CONTEXTUALIZED}.json"
        k = read_json(figures)["k"] if CONTEXTUALIZED in corpora else None
        analyses.append(analyse(task, corpora, k, read_stop_words(params.corpus.language)))
    overlaps = beside_paper("figure3", [row for analysis in analyses for row in analysis.overlaps])
    sizes = beside_paper("table1", [row for analysis in analyses for row in analysis.sizes])
    diversity = beside_paper("table3", [row for analysis in analyses for row in analysis.diversity])
    write_csv(REPORTS / "table1.csv", sizes)
    write_csv(REPORTS / "table3.csv", diversity)
    write_csv(REPORTS / "figure3.csv", overlaps)
    panels = {
        task: [
            (_label(row), row["overlap"], float(row["paper_overlap"]) if row["paper_overlap"] else None)
            for row in overlaps
            if row["task"] == task and row["against"] == TASK and row["corpus"] != TASK
        ]
        for task in params.tasks
    }
    with atomic_write(REPORTS / "figure3.svg") as temporary:
        temporary.write_text(dots(panels, "most frequent words in common with the task, %"), encoding="utf-8")


def _label(row: dict[str, object]) -> str:
    return f"{row['corpus']}, top {row['top_percent']} %" if row["top_percent"] else str(row["corpus"])


if __name__ == "__main__":
    run(main)
