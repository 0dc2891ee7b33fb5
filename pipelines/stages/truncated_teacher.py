"""Stage `truncated_teacher@task`: the pretrained teacher, cut to the student's layers and fine-tuned on gold labels."""

from pathlib import Path

from pipelines.adaptation import adapt_on_task
from pipelines.cli import run
from pipelines.paths import ASSETS, MODELS
from textbook.assets.manifest import locate
from textbook.models.encoder import load_encoder
from textbook.models.truncation import keep_first_layers
from textbook.params import Params


def main(params: Params, task: str) -> None:
    """Write the best model as a Hugging Face folder."""
    about = params.truncated_teacher
    changes = {"targets": "gold", "epochs": about.epochs, "seeds": about.seeds}
    settings = params.model_copy(update={"adapt": params.adapt.model_copy(update=changes)})
    pretrained = locate(ASSETS / params.teacher.asset)

    def write_truncated(_seed: int, folder: Path) -> Path:
        keep_first_layers(load_encoder(pretrained), params.student.layers).save_pretrained(folder)
        return folder

    adapt_on_task(settings, task, write_truncated, MODELS / task / "truncated_teacher", train_words=about.train_words)


if __name__ == "__main__":
    run(main)
