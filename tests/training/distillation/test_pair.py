import pytest
import torch
from toy_run import SETTINGS, toy_distillation, toy_pair, toy_student, toy_tokens

from textbook.errors import UserError
from textbook.models.encoder import load_config, load_encoder, load_tokenizer
from textbook.models.student import make_student
from textbook.params import Student
from textbook.training.distillation.pair import check_pair, load_pair
from textbook.training.engine.tokens import tokenize


@pytest.fixture
def teacher(tiny_teacher):
    return load_encoder(tiny_teacher)


def test_compatible_models_and_textbook_are_accepted(tiny_teacher, teacher):
    check_pair(toy_pair(tiny_teacher, teacher=teacher), toy_tokens(tiny_teacher))


def test_a_loaded_pair_compares_the_last_layer_of_the_student(tiny_teacher):
    student = toy_student(tiny_teacher)
    pair = load_pair(tiny_teacher, student, SETTINGS.model_copy(update={"teacher_layer": "auto"}))
    assert pair.student is student
    assert (pair.teacher_layer, pair.student_layer, pair.relation_heads, pair.pad_id) == (2, 2, 4, 0)
    earlier = load_pair(tiny_teacher, student, SETTINGS.model_copy(update={"teacher_layer": 1}), torch.bfloat16)
    assert earlier.teacher_layer == 1
    assert earlier.teacher.dtype == torch.bfloat16


@pytest.mark.parametrize("role", ["teacher", "student"])
def test_token_ids_outside_the_vocabulary_are_refused(tiny_teacher, teacher, role):
    models = {"teacher": teacher, "student": toy_student(tiny_teacher)}
    tokens = toy_tokens(tiny_teacher)
    models[role].resize_token_embeddings(tokens.largest)
    message = rf"token id {tokens.largest}, but the {role}'s vocabulary ends at {tokens.largest - 1}"
    with pytest.raises(UserError, match=message):
        check_pair(toy_pair(tiny_teacher, **models), tokens)


def test_a_student_with_another_vocabulary_is_refused(tiny_teacher, teacher):
    other = toy_student(tiny_teacher, vocab_size=500)
    with pytest.raises(UserError, match=r"student's vocabulary has 500 tokens: must have \d+, like the teacher's"):
        check_pair(toy_pair(tiny_teacher, other, teacher), toy_tokens(tiny_teacher))


def test_texts_longer_than_the_limit_of_a_model_are_refused(tiny_teacher, teacher):
    short = toy_student(tiny_teacher, max_position_embeddings=8)
    with pytest.raises(UserError, match=r"a text of \d+ tokens, but the student reads at most 8"):
        check_pair(toy_pair(tiny_teacher, short, teacher), toy_tokens(tiny_teacher))


def test_relation_heads_must_divide_the_hidden_size(tiny_teacher, teacher):
    student = make_student(Student(layers=1, hidden=12, heads=4, intermediate=8), load_config(tiny_teacher), seed=0)
    with pytest.raises(UserError, match="relation_heads = 8: must divide the student's hidden size 12"):
        check_pair(toy_pair(tiny_teacher, student, teacher, relation_heads=8), toy_tokens(tiny_teacher))


@pytest.mark.parametrize("role", ["teacher", "student"])
def test_a_missing_layer_is_refused(tiny_teacher, role):
    with pytest.raises(UserError, match=rf"the {role} has no layer 3: must be from 1 to 2"):
        toy_distillation(tiny_teacher, **{f"{role}_layer": 3})


def test_an_empty_textbook_is_refused(tiny_teacher):
    no_tokens = tokenize(load_tokenizer(tiny_teacher), [], None, 32)
    with pytest.raises(UserError, match=r"^distill: has no texts for the teacher"):
        toy_distillation(tiny_teacher, tokens=no_tokens)
