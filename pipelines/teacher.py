"""Stage `teacher@t`: fine-tune the teacher on the task."""

from pipelines.labelled import measure_of, read_labelled
from pipelines.stage import ASSETS, MODELS, run
from textbook.assets import locate
from textbook.files import write_aside, write_json
from textbook.models.classifier import load_classifier
from textbook.models.encoder import check_relation_heads, load_config, load_tokenizer
from textbook.params import Params
from textbook.tasks.prepare import TRAIN
from textbook.training.device import best_device
from textbook.training.finetune import Settings, finetune
from textbook.training.log import log_to_file


def teacher(params: Params, task: str) -> None:
    """Write the fine-tuned teacher as a Hugging Face folder, with its history and validation figures."""
    settings = params.teacher
    pretrained = locate(ASSETS / settings.asset)
    check_relation_heads(load_config(pretrained).hidden_size, params.distill.relation_heads, "teacher")
    tokenizer = load_tokenizer(pretrained)
    about, device = params.task(task), best_device()
    train = read_labelled(task, TRAIN, tokenizer, settings.max_length)
    model = load_classifier(pretrained, about.outputs, settings.seed, regression=about.regression)
    with write_aside(MODELS / task / "teacher") as aside:
        aside.mkdir()
        figures = finetune(
            model,
            train,
            Settings(
                settings.epochs, settings.batch, settings.lr, settings.warmup, settings.weight_decay, settings.seed
            ),
            measure=measure_of(task, about, tokenizer, settings.max_length, device),
            pad_id=tokenizer.pad_token_id,
            device=device,
            name="teacher",
            log=log_to_file(aside / "history.jsonl"),
        )
        model.save_pretrained(aside)
        tokenizer.save_pretrained(aside)
        write_json(aside / "result.json", {"runs": [figures]})
    print(f"{task}: teacher's {', '.join(f'{name} {100 * value:.1f}' for name, value in figures.items())}")


if __name__ == "__main__":
    run(teacher)
