"""Settings from JSON are used as sections of the parameters are."""

import json
import pickle
from pathlib import Path

import pytest

from textbook.params import FineTuning
from textbook.params_file import load_params
from textbook.settings import Settings
from textbook.training.finetuning.finetune import IDENTITY

DISTILL = load_params(Path(__file__).parents[1] / "params.yaml").distill
SETTINGS = Settings(json.loads(json.dumps(DISTILL.model_dump())))


def test_they_have_the_values_of_the_section() -> None:
    for name in type(DISTILL).model_fields:
        if name != "second":
            assert getattr(SETTINGS, name) == getattr(DISTILL, name)
    assert SETTINGS.second.lr == DISTILL.second.lr
    copy = SETTINGS.model_copy(update={"steps": 7, "snapshots": []})
    assert (copy.steps, copy.snapshots, copy.lr, SETTINGS.steps) == (7, [], DISTILL.lr, DISTILL.steps)
    assert pickle.loads(pickle.dumps(SETTINGS)) == SETTINGS


def test_they_are_read_only_and_know_no_other_names() -> None:
    with pytest.raises(AttributeError, match="there is no setting 'step'"):
        _ = SETTINGS.step
    with pytest.raises(AttributeError):
        SETTINGS.steps = 7  # type: ignore[misc]


def test_a_checkpoint_of_a_fine_tuning_is_of_all_its_settings() -> None:
    assert set(IDENTITY) == set(FineTuning.model_fields)
