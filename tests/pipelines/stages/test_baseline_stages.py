"""The baselines of a small task over texts, pairs of texts and a scale, and their comparison with the student."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from ruamel.yaml import YAML

import pipelines.stages.evaluate
from conftest import make_reviews
from pipelines.adaptation import adapt_distilled, adapt_from_scratch
from pipelines.paths import EVALUATION, MODELS, TASKS
from pipelines.stages.baseline import Kind
from pipelines.stages.baseline import main as baseline
from pipelines.stages.evaluate import main as evaluate
from pipelines.stages.truncated_teacher import main as truncated_teacher
from textbook.assets.fetch import fetch
from textbook.evaluation.predictions import read_predictions, splits_to_predict, write_predictions
from textbook.files import read_json, write_json
from textbook.models.classifier import load_classifier, read_classifier
from textbook.models.encoder import load_encoder, load_tokenizer
from textbook.params import Params, PathAsset
from textbook.params_file import load_params
from textbook.tasks.splits import TEST

ROOT = Path(__file__).parents[3]
ROWS = {"train": 120, "validation": 40, "validation_other": 30, TEST: 25}
SHAPES: dict[str, dict[str, Any]] = {
    "texts": {"text": ["text"], "labels": ["bad", "good"]},
    "pairs": {"text": ["a", "b"], "labels": ["no", "yes"], "metrics": ["f1", "accuracy"]},
    "scale": {"text": ["text"], "scale": [0, 5], "metrics": ["pearson", "spearman"]},
}
FILES = ("predictions.parquet", "test-predictions.parquet")
pytestmark = pytest.mark.usefixtures("one_thread")


def write_task(shape: str) -> None:
    """Write a task: which words a text has decides its label; of a pair, whether both labels are the same."""
    (TASKS / "films").mkdir(parents=True)
    for split, count in ROWS.items():
        texts, labels = map(list, zip(*make_reviews(count, seed=count), strict=True))
        second, others = map(list, zip(*make_reviews(count, seed=count + 1), strict=True))
        columns: dict[str, Any] = {"sentence": texts, "label": labels}
        if shape == "pairs":
            same = [int(one == other) for one, other in zip(labels, others, strict=True)]
            columns = {"sentence1": texts, "sentence2": second, "label": same}
        if shape == "scale":
            columns["label"] = [5.0 * label + len(text) % 2 / 10 for text, label in zip(texts, labels, strict=True)]
        pq.write_table(pa.table(columns), TASKS / "films" / f"{split}.parquet")


@pytest.fixture
def make_params(tiny_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that gives the parameters of a new project with a task of a shape and a pretrained teacher."""
    monkeypatch.chdir(tmp_path)
    encoder = tmp_path / "encoder"
    shutil.copytree(tiny_teacher, encoder)

    def make(shape: str) -> Params:
        write_task(shape)
        fetch(PathAsset(path=str(encoder)), Path("data/assets/encoder"))
        raw = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
        raw["assets"]["path"] = {"encoder": {"path": str(encoder)}}
        raw["tasks"] = {"films": {"asset": "movie_reviews", "label": "label", "holdout": 10, **SHAPES[shape]}}
        raw["teacher"]["asset"] = "encoder"
        raw["student"] |= {"layers": 1, "hidden": 16, "heads": 4, "intermediate": 32}
        raw["textbooks"]["augmented"] = {}
        raw["distill"]["relation_heads"] = 4
        raw["adapt"] |= {"epochs": 1, "lr": 3e-3, "seeds": [3, 5], "targets": "teacher"}
        raw["truncated_teacher"] |= {"seeds": [7, 9]}
        raw["evaluate"] |= {"latency_sentences": 3, "batches": [1], "lengths": [16]}
        YAML(typ="safe", pure=True).dump(raw, Path("params.yaml"))
        params = load_params()
        teacher = MODELS / "films" / "teacher"
        task = params.task("films")
        classifier = load_classifier(encoder, task.outputs, seed=0, regression=task.regression)
        classifier.save_pretrained(teacher)
        for name, split in splits_to_predict(TASKS / "films").items():
            labels = pq.read_table(TASKS / "films" / f"{split}.parquet")["label"].to_numpy()
            labels = labels.astype(np.float32) if task.regression else labels
            outputs = np.random.default_rng(0).random((len(labels), classifier.config.num_labels), np.float32)
            write_predictions(teacher / name, labels, {0: outputs})
        load_tokenizer(encoder).save_pretrained(teacher)
        write_json(teacher / "result.json", {"runs": [{task.metrics[0]: 0.5, "standard_error": 0.1}]})
        return params

    return make


@pytest.fixture
def without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the student where the int8 model is expected, because an export takes seconds."""
    monkeypatch.setattr(
        pipelines.stages.evaluate, "OnnxClassifier", lambda folder: read_classifier(folder.with_name("student"))
    )


def columns_of(name: str) -> tuple[int, int]:
    """How many outputs and rows the predictions of a baseline have."""
    labels, outputs = read_predictions(MODELS / "films" / name / "predictions.parquet")
    assert {len(output) for output in outputs.values()} == {len(labels)}
    return next(iter(outputs.values())).shape[1], len(labels)


@pytest.mark.parametrize("shape", SHAPES)
def test_linear_baselines_learn_the_task_and_keep_figures_and_predictions_only(make_params: Any, shape: str) -> None:
    params = make_params(shape)
    metrics = params.task("films").metrics
    runs = {}
    for kind in Kind:
        baseline(params, kind, "films")
        folder = MODELS / "films" / kind
        assert {path.name for path in folder.iterdir()} == {*FILES, "result.json"}
        result = read_json(folder / "result.json")
        (runs[kind],) = result["runs"]
        assert min(result["parameters"], result["bytes"], result["ms_per_sentence"]) > 0
        assert columns_of(kind) == (1 if shape == "scale" else 2, ROWS["validation"])
        others = [f"{metric}_validation_other" for metric in metrics]
        assert list(runs[kind]) == [*metrics, *others, "standard_error"]
        (outputs,) = read_predictions(folder / "predictions.parquet")[1].values()
        assert (len(np.unique(outputs, axis=0)) > 10) == (kind is not Kind.majority)
    if shape == "pairs":  # the pair's label is no function of single words: exclusive or
        assert runs[Kind.majority]["accuracy"] >= 0.3
    else:
        assert runs[Kind.tfidf][metrics[0]] > 0.9
    assert read_json(MODELS / "films" / "majority" / "result.json")["strength"] is None


def test_the_majority_class_is_that_of_the_training_data(make_params: Any) -> None:
    params = make_params("texts")
    table = pq.read_table(TASKS / "films" / "train.parquet")
    labels = np.ones(len(table), int)
    labels[:40] = 0
    pq.write_table(table.set_column(1, "label", pa.array(labels)), TASKS / "films" / "train.parquet")
    baseline(params, Kind.majority, "films")
    labels, of_seeds = read_predictions(MODELS / "films" / "majority" / "predictions.parquet")
    (outputs,) = of_seeds.values()
    assert set(outputs.argmax(1)) == {1}
    (run,) = read_json(MODELS / "films" / "majority" / "result.json")["runs"]
    assert run["accuracy"] == labels.mean()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_task_has_the_figures_of_all_models_and_what_the_student_is_ahead(
    make_params: Any, without_onnx: None, shape: str, tiny_teacher: Path
) -> None:
    params = make_params(shape)
    models = MODELS / "films"
    for kind in Kind:
        baseline(params, kind, "films")
    truncated_teacher(params, "films")
    adapt_from_scratch(params, "films", models / "scratch")
    adapt_distilled(params, "films", tiny_teacher, models / "student")
    shutil.copytree(models / "student", models / "onnx")
    evaluate(params, "films")
    figures = read_json(EVALUATION / "films.json")
    baselines = {"majority", "tfidf", "embeddings", "truncated_teacher"}
    assert set(figures) == {"teacher", "scratch", "student", "onnx"} | baselines
    for name, figure in figures.items():
        assert {"score", "score_std", "seeds", "parameters", "bytes", "ms_per_sentence"} <= set(figure)
        assert ("paired" in figure) == (name != "student")
    for name in ("scratch", *sorted(baselines)):
        lead = figures["student"]["score"] - figures[name]["score"]
        assert figures[name]["paired"]["value"] == pytest.approx(lead, abs=0.011), name
    assert figures["onnx"]["paired"]["p_holm"] <= 1
    assert figures["truncated_teacher"]["layers"] == 1
    assert figures["truncated_teacher"]["seeds"] == 2
    assert {path.name for path in (EVALUATION / "films" / "onnx").iterdir()} == set(FILES)
    for name, figure in figures.items():
        folder = EVALUATION / "films" if name == "onnx" else models
        labels, outputs = read_predictions(folder / name / "test-predictions.parquet")
        assert len(labels) == ROWS[TEST]
        assert (
            figure["test"]["seeds"] == len(outputs) == (2 if name in ("scratch", "student", "truncated_teacher") else 1)
        )
        if shape == "texts":
            accuracies = [100 * (logits.argmax(1) == labels).mean() for logits in outputs.values()]
            assert figure["test"]["score"] == pytest.approx(np.mean(accuracies), abs=0.011), name
    for name in ("scratch", "student", "truncated_teacher"):
        _, outputs = read_predictions(models / name / "predictions.parquet")
        assert len(outputs) == 2, name
        assert not np.array_equal(*outputs.values()), name


@pytest.mark.parametrize("train_words", [False, True])
def test_the_truncated_teacher_learns_from_gold_labels_and_has_the_pretrained_layers(
    make_params: Any, train_words: bool
) -> None:
    params = make_params("texts")
    about = params.truncated_teacher.model_copy(update={"epochs": 2, "train_words": train_words})
    (MODELS / "films" / "teacher" / "model.safetensors").unlink()  # its predictions are not needed
    truncated_teacher(params.model_copy(update={"truncated_teacher": about}), "films")
    folder = MODELS / "films" / "truncated_teacher"
    model = read_classifier(folder)
    assert (model.config.num_hidden_layers, model.config.hidden_size) == (1, 32)
    result = read_json(folder / "result.json")
    assert result["seeds"] == [7, 9]
    assert result["best_seed"] in (7, 9)
    assert {path.name for path in folder.glob("history-*.jsonl")} == {"history-7.jsonl", "history-9.jsonl"}
    assert len((folder / "history-7.jsonl").read_text().splitlines()) == 2
    pretrained = load_encoder(Path("encoder"))
    words, before = (encoder.get_input_embeddings().weight for encoder in (model, pretrained))
    assert torch.equal(words, before) != train_words
    deciding = "encoder.layer.0.attention.self.query.weight"
    assert not torch.equal(model.base_model.state_dict()[deciding], pretrained.state_dict()[deciding])
