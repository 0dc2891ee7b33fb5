from dataclasses import replace

import pytest
from toy_run import CPU, toy_pair

from conftest import make_sentences
from textbook.evaluation.relation_loss import mean_relation_losses
from textbook.models.encoder import load_config, load_encoder, load_tokenizer
from textbook.models.student import make_student
from textbook.params import Student
from textbook.training.engine.tokens import tokenize


@pytest.fixture
def measure(tiny_teacher):
    tokenizer = load_tokenizer(tiny_teacher)
    tokens = tokenize(tokenizer, make_sentences(50, seed=3), None, 32)

    def losses(*students, **changes):
        first = toy_pair(tiny_teacher, students[0])
        pairs = [replace(toy_pair(tiny_teacher, student), teacher=first.teacher) for student in students]
        return mean_relation_losses(pairs, tokens, CPU, **changes)

    return losses


def small_student(tiny_teacher, **changes):
    shape = {"layers": 2, "hidden": 16, "heads": 4, "intermediate": 32, **changes}
    return make_student(Student(**shape), load_config(tiny_teacher), seed=0)


def test_a_student_with_the_teachers_relations_has_zero_loss(measure, tiny_teacher):
    assert measure(load_encoder(tiny_teacher)) == [pytest.approx(0, abs=1e-6)]


def test_the_loss_does_not_depend_on_the_batch_size(measure, tiny_teacher):
    student = small_student(tiny_teacher)
    (whole,) = measure(student, batch=50)
    assert whole > 0.1
    assert measure(student, batch=7) == [pytest.approx(whole, rel=1e-5)]


def test_students_measured_together_have_the_losses_that_they_have_alone(measure, tiny_teacher):
    students = [
        small_student(tiny_teacher),
        small_student(tiny_teacher, hidden=32),
        load_encoder(tiny_teacher),
    ]
    together = measure(*students)
    assert together == [measure(student)[0] for student in students]
    assert len(set(together)) == 3
