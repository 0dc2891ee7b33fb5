import pytest
from toy_run import toy_distillation, toy_student, toy_tokens
from transformers import AutoConfig

from textbook.errors import UserError
from textbook.models.encoder import load_config, load_encoder, load_tokenizer
from textbook.models.student import Shape, make_student
from textbook.training.checks import check_fit, longest_text
from textbook.training.tokens import tokenize


@pytest.fixture
def teacher(tiny_teacher):
    return load_encoder(tiny_teacher)


def test_models_and_textbook_that_fit_pass(tiny_teacher, teacher):
    check_fit(teacher, toy_student(tiny_teacher), toy_tokens(tiny_teacher), 4)


@pytest.mark.parametrize("whose", ["teacher", "student"])
def test_tokens_that_the_vocabulary_does_not_have_are_refused(tiny_teacher, teacher, whose):
    models = {"teacher": teacher, "student": toy_student(tiny_teacher)}
    tokens = toy_tokens(tiny_teacher)
    models[whose].resize_token_embeddings(tokens.largest)
    message = rf"token id {tokens.largest}, but the {whose}'s vocabulary ends at {tokens.largest - 1}"
    with pytest.raises(UserError, match=message):
        check_fit(**models, tokens=tokens, relation_heads=4)


def test_a_student_with_another_vocabulary_is_refused(tiny_teacher, teacher):
    other = toy_student(tiny_teacher, vocab_size=500)
    with pytest.raises(UserError, match=r"student's vocabulary has 500 tokens: must be the teacher's, which has \d+"):
        check_fit(teacher, other, toy_tokens(tiny_teacher), 4)


def test_texts_longer_than_a_model_reads_are_refused(tiny_teacher, teacher):
    short = toy_student(tiny_teacher, max_position_embeddings=8)
    with pytest.raises(UserError, match=r"a text of \d+ tokens, but the student reads 8 at the most"):
        check_fit(teacher, short, toy_tokens(tiny_teacher), 4)


def test_relation_heads_that_do_not_divide_are_refused(tiny_teacher, teacher):
    student = make_student(Shape(layers=1, hidden=12, heads=4, intermediate=8), load_config(tiny_teacher), seed=0)
    with pytest.raises(UserError, match="relation_heads = 8: must divide the student's hidden size 12"):
        check_fit(teacher, student, toy_tokens(tiny_teacher), 8)


@pytest.mark.parametrize("whose", ["teacher", "student"])
def test_a_layer_that_is_not_there_is_refused(tiny_teacher, whose):
    with pytest.raises(UserError, match=rf"the {whose} has no layer 3: must be from 1 to 2"):
        toy_distillation(tiny_teacher, **{f"{whose}_layer": 3})


@pytest.mark.parametrize(
    ("family", "expected"),
    [("bert", 514), ("roberta", 512), ("mpnet", 512), ("deberta-v2", None), ("modernbert", None)],
)
def test_how_long_a_text_each_family_reads(family, expected):
    assert longest_text(AutoConfig.for_model(family, pad_token_id=1, max_position_embeddings=514)) == expected


def test_an_empty_textbook_is_refused(tiny_teacher):
    nothing = tokenize(load_tokenizer(tiny_teacher), [], None, 32)
    with pytest.raises(UserError, match="the textbook has no texts"):
        toy_distillation(tiny_teacher, tokens=nothing)
