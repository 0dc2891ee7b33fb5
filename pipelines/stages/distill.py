"""Stage `distill@task`: distil the teacher into a student on the textbook (MiniLMv2's relations)."""

from functools import partial

from pipelines.cli import run
from pipelines.distillation import distil_student, teacher_of
from pipelines.live import live_run
from pipelines.paths import INIT, MODELS, textbook_files
from pipelines.work import work_folder
from textbook.files import hash_folder, remove, sha256
from textbook.params import Params


def main(params: Params, task: str) -> None:
    """Write the distilled encoder as a Hugging Face folder, with its history and the identity of its MLflow run."""
    settings = params.distill
    inputs = [settings.model_dump(), hash_folder(INIT / settings.init), hash_folder(teacher_of(params, task))]
    work = work_folder(f"distill@{task}", inputs, [sha256(book) for book in textbook_files(task, settings.textbook)])
    distil_student(params, task, MODELS / task / "distilled", work, partial(live_run, params, task))
    remove(work)


if __name__ == "__main__":
    run(main)
