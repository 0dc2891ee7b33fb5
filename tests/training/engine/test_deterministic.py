"""Deterministic algorithms hold within the block only, and an operation that has none is named."""

import pytest
import torch

from textbook.errors import UserError
from textbook.training.engine.deterministic import deterministic_algorithms


def test_algorithms_are_deterministic_within_the_block():
    with deterministic_algorithms("distill"):
        assert torch.are_deterministic_algorithms_enabled()
    assert not torch.are_deterministic_algorithms_enabled()


def test_an_operation_without_such_an_algorithm_is_named():
    message = "some_op does not have a deterministic implementation, but you set …\nmore"
    with pytest.raises(UserError, match="distill: is not possible here: some_op"), deterministic_algorithms("distill"):
        raise RuntimeError(message)
    with pytest.raises(RuntimeError, match="of another kind"), deterministic_algorithms("distill"):
        raise RuntimeError("an error of another kind")
    assert not torch.are_deterministic_algorithms_enabled()
