import pytest
from transformers import BertConfig, RobertaConfig

from textbook.errors import UserError
from textbook.models.flops import layer_flops
from textbook.models.shapes import HEAD, count_parameters, largest_shapes, sentence_flops, shape_of
from textbook.models.student import Shape, make_student

BERT = BertConfig(vocab_size=1000, hidden_size=192, num_hidden_layers=4, num_attention_heads=4)
PAPER = Shape(layers=6, hidden=384, heads=12, intermediate=1536)


def test_parameters_are_those_of_the_student_itself():
    shape = Shape(layers=2, hidden=32, heads=4, intermediate=64)
    assert count_parameters(shape, BERT) == sum(p.numel() for p in make_student(shape, BERT, seed=0).parameters())


def test_the_papers_student_has_its_known_size():
    roberta = RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1, hidden_size=1024)
    assert count_parameters(PAPER, roberta) == pytest.approx(30e6, rel=0.02)  # MiniLMv2, table 2: 30M for 6 x 384


def test_flops_are_those_of_its_layers():
    one = make_student(Shape(layers=1, hidden=384, heads=12, intermediate=1536), BERT, seed=0).config
    assert sentence_flops(PAPER, BERT, 26) == 6 * layer_flops(one, 26)


def test_the_largest_student_uses_the_budget_and_fits_the_heads():
    def cost(shape):
        return count_parameters(shape, BERT)

    shapes = largest_shapes(cost, 2e6, relation_heads=24, widest=384)
    assert [shape.hidden % 24 for shape in shapes] == [0] * len(shapes)
    assert all(shape.hidden == HEAD * shape.heads for shape in shapes)
    for shape in shapes:
        assert cost(shape) <= 2e6
        assert shape.layers == 12 or cost(shape_of(shape.layers + 1, shape.hidden)) > 2e6
    computed = [sentence_flops(shape, BERT, 32) for shape in shapes]
    assert computed[0] == max(computed)
    assert len(shapes) > 1


def test_a_budget_for_nothing_is_refused():
    with pytest.raises(UserError, match=r"budget = 0.001: is too small; a student of 1 layer x 96.* costs 0.2"):
        largest_shapes(lambda shape: count_parameters(shape, BERT) / 1e6, 0.001, relation_heads=24, widest=384)
