"""The texts on which the student fails and its teacher doesn't."""

import numpy as np

from textbook.reporting.mistakes import MOST, largest_errors, wrong_classes

NAMES = ["no", "yes"]
LOG_3, LOG_9 = float(np.log(3)), float(np.log(9))


def logits(*rows):
    return np.array(rows, np.float32)


def test_of_classes_the_most_confident_mistake_comes_first():
    labels = np.array([1, 0, 1, 0])
    teacher = logits([0, LOG_3], [LOG_9, 0], [0, 1], [0, 1])  # the last one is wrong
    student = logits([LOG_3, 0], [0, LOG_9], [0, 1], [0, 5])  # only the third one is right
    first, second = wrong_classes(["a", "b", "c", "d"], labels, teacher, student, NAMES)
    assert first == ("b", "no", "no (90.0 %)", "yes (90.0 %)")
    assert second == ("a", "yes", "yes (75.0 %)", "no (75.0 %)")


def test_at_most_ten_mistakes_are_shown_and_equal_ones_keep_their_order():
    count = MOST + 5
    labels, texts = np.zeros(count, np.int64), [str(row) for row in range(count)]
    teacher, student = logits(*[[1, 0]] * count), logits(*[[0, 1]] * count)
    assert [mistake.text for mistake in wrong_classes(texts, labels, teacher, student, NAMES)] == texts[:MOST]


def test_no_mistake_gives_no_text():
    right = logits([1, 0])
    assert wrong_classes(["a"], np.array([0]), right, right, NAMES) == []


def test_on_a_scale_the_largest_error_comes_first_if_the_teacher_is_closer():
    labels = np.array([5.0, 1.5, 3.0])
    teacher = logits([4.0], [1.6], [0.0])  # errors 1, 0.1, 3
    student = logits([3.0], [4.25], [1.0])  # errors 2, 2.75, 2; the third one is smaller than the teacher's
    first, second = largest_errors(["a", "b", "c"], labels, teacher, student)
    assert first == ("b", "1.5", "1.60", "4.25")
    assert second == ("a", "5", "4.00", "3.00")
