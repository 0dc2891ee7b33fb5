"""Students and classifiers."""

import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoTokenizer, pipeline

from textbook.models.classifier import load_classifier, read_classifier
from textbook.models.encoder import QkvReader, inputs_for, load_config, load_encoder
from textbook.models.student import make_student
from textbook.params import Student

SHAPE = Student(layers=1, hidden=8, heads=2, intermediate=16)


def test_a_student_has_the_given_shape_and_the_vocabulary_of_the_teacher(tiny_teacher, tmp_path):
    teacher = load_config(tiny_teacher)
    make_student(SHAPE, teacher, seed=0).save_pretrained(tmp_path)
    loaded = AutoModel.from_pretrained(tmp_path)
    assert (loaded.config.num_hidden_layers, loaded.config.hidden_size) == (1, 8)
    assert loaded.get_input_embeddings().weight.shape == (teacher.vocab_size, 8)


def test_the_seed_determines_the_weights(tiny_teacher):
    first, again, other = (make_student(SHAPE, load_config(tiny_teacher), seed=seed) for seed in (0, 0, 1))
    embeddings = [student.get_input_embeddings().weight for student in (first, again, other)]
    assert torch.equal(embeddings[0], embeddings[1])
    assert not torch.equal(embeddings[0], embeddings[2])


@pytest.mark.parametrize(
    ("teacher", "architecture"),
    [
        ("bert", "bert"),
        ("roberta", "roberta"),
        ("xlm-roberta", "xlm-roberta"),
        ("electra", "electra"),
        ("mpnet", "bert"),
        ("distilbert", "bert"),
        ("modernbert", "bert"),
        ("deberta-v2", "bert"),
    ],
)
def test_the_student_of_every_teacher_can_be_loaded_and_read(teacher, architecture, tmp_path):
    special = {"bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
    config = AutoConfig.for_model(teacher, vocab_size=60, pad_token_id=1, **special)
    make_student(SHAPE, config, seed=0).save_pretrained(tmp_path)
    student = load_encoder(tmp_path)
    assert student.config.model_type == architecture
    ids = torch.randint(5, 60, (2, 32))
    query, _, value = QkvReader(student, SHAPE.layers)(ids, torch.ones_like(ids))
    assert query.shape == value.shape == (2, 32, SHAPE.hidden)


@pytest.mark.parametrize("family", ["distilbert", "mpnet", "roberta"])
def test_a_model_gets_only_the_inputs_that_it_accepts(family):
    shape = {"vocab_size": 60, "pad_token_id": 1, "num_hidden_layers": 1, "hidden_size": 16, "num_attention_heads": 2}
    if family == "distilbert":
        shape = {"vocab_size": 60, "pad_token_id": 1, "n_layers": 1, "dim": 16, "n_heads": 2, "hidden_dim": 16}
    model = AutoModelForSequenceClassification.from_config(AutoConfig.for_model(family, **shape)).eval()
    ids = torch.randint(5, 60, (2, 8))
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}
    assert model(**inputs_for(model, batch)).logits.shape == (2, 2)


def test_a_classifier_stores_the_names_of_its_labels(tiny_teacher, tmp_path):
    load_classifier(tiny_teacher, ["bad", "good"], seed=0).save_pretrained(tmp_path)
    assert read_classifier(tmp_path).config.id2label == {0: "bad", 1: "good"}


def test_a_plain_pipeline_returns_the_raw_output_of_a_regression(tiny_teacher, tmp_path):
    model = load_classifier(tiny_teacher, ["stars"], seed=0, regression=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny_teacher)
    for part in (model, tokenizer):
        part.save_pretrained(tmp_path)
    (output,) = pipeline("text-classification", str(tmp_path), device="cpu")(["great film"])
    with torch.no_grad():
        expected = model(**tokenizer("great film", return_tensors="pt")).logits.item()
    assert output == {"label": "stars", "score": pytest.approx(expected, rel=1e-5)}
    assert not 0 <= expected <= 1, "the output cannot be told apart from a probability"
