"""The cost of student shapes, and the largest shapes within a budget."""

import pytest
from transformers import BertConfig, RobertaConfig

from textbook.errors import UserError
from textbook.models.flops import layer_flops
from textbook.models.shapes import HEAD_WIDTH, largest_shapes, sentence_flops, usual_shape
from textbook.models.student import make_student, student_parameters
from textbook.params import Student

BERT = BertConfig(vocab_size=1000, hidden_size=192, num_hidden_layers=4, num_attention_heads=4)
PAPER = Student(layers=6, hidden=384, heads=12, intermediate=1536)


def test_parameters_match_those_of_the_student():
    shape = Student(layers=2, hidden=32, heads=4, intermediate=64)
    assert student_parameters(shape, BERT) == sum(p.numel() for p in make_student(shape, BERT, seed=0).parameters())


def test_the_student_of_the_paper_has_its_published_size():
    roberta = RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1, hidden_size=1024)
    assert student_parameters(PAPER, roberta) == pytest.approx(30e6, rel=0.02)  # MiniLMv2, table 2: 30M for 6 x 384


def test_flops_are_the_sum_over_the_layers():
    config = make_student(Student(layers=1, hidden=384, heads=12, intermediate=1536), BERT, seed=0).config
    assert sentence_flops(PAPER, BERT, 26) == 6 * layer_flops(config, 26)


def test_the_largest_shapes_use_the_budget_and_fit_the_relation_heads():
    def cost(shape):
        return student_parameters(shape, BERT)

    shapes = largest_shapes(cost, 2e6, relation_heads=24, widest=384)
    assert [shape.hidden % 24 for shape in shapes] == [0] * len(shapes)
    assert all(shape.hidden == HEAD_WIDTH * shape.heads for shape in shapes)
    for shape in shapes:
        assert cost(shape) <= 2e6
        assert shape.layers == 12 or cost(usual_shape(shape.layers + 1, shape.hidden)) > 2e6
    flops = [sentence_flops(shape, BERT, 32) for shape in shapes]
    assert flops[0] == max(flops)
    assert len(shapes) > 1


def test_a_budget_that_is_too_small_is_refused():
    message = "budget = 0.001: is too small; the smallest student with 24 relation heads, 1 layer x 96, costs 0.2"
    with pytest.raises(UserError, match=message):
        largest_shapes(lambda shape: student_parameters(shape, BERT) / 1e6, 0.001, relation_heads=24, widest=384)
