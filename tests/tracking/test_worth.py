"""Versions that are not worth it: they are registered, but not promoted unless the rules allow it."""

import pytest
from toy_registry import RULES, add, aliases, make_record, no_comparison, with_score

from textbook.errors import UserError
from tracking.promotion import DECISION, pass_gate
from tracking.pull import pull
from tracking.registry import REASONS

ALLOWING = RULES.model_copy(update={"allow_worse": True})
WARNING = "It does not beat X."


@pytest.fixture
def record(tiny_teacher, tmp_path):
    return make_record(tiny_teacher, tmp_path / "classifier")


def test_a_version_that_is_not_worth_it_is_registered_but_not_promoted(client, experiment, record, tmp_path, capsys):
    """Not even if there is no champion, until the rules allow it."""
    version = add(client, experiment, record, "first")
    for _ in range(2):
        assert pass_gate(client, "reviews", version, no_comparison, RULES, warning=WARNING) == "challenger"
    line = "NO: It does not beat X. (to accept it, set registry.allow_worse: true)"
    assert capsys.readouterr().out.count(f"reviews version 1: {line}\n") == 1
    tags = client.get_model_version("reviews", version).tags
    assert (tags[DECISION], tags[REASONS]) == ("not worth it", line)
    with pytest.raises(UserError, match=r"model 'reviews' has no champion.* `make pull TASK=reviews ALIAS=challenger`"):
        pull("reviews", "champion", tmp_path / "pulled")
    assert pull("reviews", "challenger", tmp_path / "pulled") == version
    assert pass_gate(client, "reviews", version, no_comparison, ALLOWING, warning=WARNING) == "champion"
    tags = client.get_model_version("reviews", version).tags
    assert tags[DECISION] == "promoted"
    assert tags[REASONS].splitlines() == ["yes: registry.allow_worse: It does not beat X.", "yes: there is no champion"]
    assert aliases(client) == {"champion": version}


def test_a_version_that_is_not_worth_it_does_not_replace_a_champion(client, experiment, record):
    add(client, experiment, record, "first")
    assert pass_gate(client, "reviews", "1", no_comparison, RULES) == "champion"
    version = add(client, experiment, record, "second")
    assert pass_gate(client, "reviews", version, no_comparison, RULES, warning=WARNING) == "challenger"
    assert aliases(client) == {"champion": "1", "challenger": version}
    assert pass_gate(client, "reviews", version, with_score(80.1), ALLOWING, warning=WARNING) == "challenger"
    assert "NO: score 80.10" in client.get_model_version("reviews", version).tags[REASONS]
    assert pass_gate(client, "reviews", "1", no_comparison, RULES, warning=WARNING) == "champion"
