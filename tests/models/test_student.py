import pytest
import torch
from transformers import AutoModel, GPT2Config, RobertaConfig

from textbook.errors import UserError
from textbook.models.classifier import load_classifier, read_classifier
from textbook.models.encoder import load_config
from textbook.models.student import make_student
from textbook.params import Student

SHAPE = Student(layers=1, hidden=8, heads=2, intermediate=16)


def test_a_student_has_its_own_shape_and_the_teachers_vocabulary(tiny_teacher, tmp_path):
    teacher = load_config(tiny_teacher)
    make_student(SHAPE, teacher, seed=0).save_pretrained(tmp_path)
    loaded = AutoModel.from_pretrained(tmp_path)
    assert (loaded.config.num_hidden_layers, loaded.config.hidden_size) == (1, 8)
    assert loaded.get_input_embeddings().weight.shape == (teacher.vocab_size, 8)


def test_the_seed_decides_the_weights(tiny_teacher):
    first, again, other = (make_student(SHAPE, load_config(tiny_teacher), seed=seed) for seed in (0, 0, 1))
    embeddings = [student.get_input_embeddings().weight for student in (first, again, other)]
    assert torch.equal(embeddings[0], embeddings[1])
    assert not torch.equal(embeddings[0], embeddings[2])


def test_a_roberta_teacher_gets_a_roberta_student_that_runs():
    teacher = RobertaConfig(vocab_size=60, max_position_embeddings=34)
    student = make_student(SHAPE, teacher, seed=0).eval()
    ids = torch.randint(5, 60, (1, 32))
    assert student(input_ids=ids).last_hidden_state.shape == (1, 32, 8)


def test_other_families_are_refused():
    with pytest.raises(UserError, match="'gpt2': students can be made of bert, roberta"):
        make_student(SHAPE, GPT2Config(), seed=0)


def test_a_classifier_names_its_labels(tiny_teacher, tmp_path):
    load_classifier(tiny_teacher, ["bad", "good"], seed=0).save_pretrained(tmp_path)
    assert read_classifier(tmp_path).config.id2label == {0: "bad", 1: "good"}
