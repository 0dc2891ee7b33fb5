"""The rule `registry.fastest_within`: the fastest version that is close enough to its teacher becomes champion."""

from dataclasses import replace

import pytest
from toy_registry import CHAMPION, RULES, add, aliases, make_record, no_comparison, with_score

from tracking.promotion import DECISION, JUDGED_BY, compare_versions, pass_gate
from tracking.registry import REASONS

FASTEST = RULES.model_copy(update={"fastest_within": 1.0})
FAR = "1.20 points below the teacher (registry.fastest_within: at most 1 below)"
NEAR = "0.90 points below the teacher (registry.fastest_within: at most 1 below)"


@pytest.fixture
def record(tiny_teacher, tmp_path):
    return make_record(tiny_teacher, tmp_path / "classifier")


@pytest.mark.parametrize(
    ("champion", "challenger", "promoted", "reason"),
    [
        ({}, {"score": 79.4, "ms_per_sentence": 1.0}, True, "yes: 1.00 ms per text, champion 2.00 (required: less"),
        ({}, {"score": 90, "ms_per_sentence": 2.2}, False, "NO: 2.20 ms per text, champion 2.00 (required: less"),
        ({}, {"score": 80.6, "ms_per_sentence": 2.05}, True, "as fast (required: a gain of more than 0.5)"),
        ({}, {"score": 80.4, "ms_per_sentence": 1.95}, False, "NO: score 80.40, champion 80.00; 1.95 ms"),
        ({"behind": 1.2}, {"score": 80.3, "ms_per_sentence": 9}, True, f"champion 80.00, which is {FAR}"),
        ({"behind": -0.1}, {"score": 80, "ms_per_sentence": 9}, False, "NO: 9.00 ms per text"),
        ({}, {"ms_per_sentence": 1.0, "training_rows": 899}, False, "NO: 899 training rows"),
    ],
)
def test_the_faster_one_of_two_that_are_close_is_champion(champion, challenger, promoted, reason):
    decision, reasons = compare_versions(replace(CHAMPION, **champion), replace(CHAMPION, **challenger), FASTEST)
    assert decision == promoted
    assert len(reasons) == 2
    assert reason in "\n".join(reasons)


def test_a_version_that_is_too_far_below_its_teacher_is_never_promoted(client, experiment, record, capsys):
    """Not even if there is no champion, until the rules allow it."""
    version = add(client, experiment, record, "first")
    for _ in range(2):
        assert pass_gate(client, "reviews", version, no_comparison, FASTEST, behind=1.2) == "challenger"
    assert capsys.readouterr().out.count(f"reviews version 1: NO: {FAR}\n") == 1
    tags = client.get_model_version("reviews", version).tags
    assert (tags[DECISION], tags[REASONS]) == ("refused", f"NO: {FAR}")
    assert pass_gate(client, "reviews", version, no_comparison, RULES, behind=1.2) == "champion"
    assert client.get_model_version("reviews", version).tags[REASONS] == "yes: there is no champion"


def test_a_faster_version_that_was_refused_is_judged_again_by_the_new_rule(client, experiment, record):
    add(client, experiment, record, "first")
    assert pass_gate(client, "reviews", "1", no_comparison, RULES) == "champion"
    version = add(client, experiment, record, "second")
    faster = with_score(79.0, ms_per_sentence=1.0)
    assert pass_gate(client, "reviews", version, faster, RULES, behind=0.9) == "challenger"
    assert pass_gate(client, "reviews", version, no_comparison, RULES, behind=0.9) == "challenger"
    assert pass_gate(client, "reviews", version, faster, FASTEST, behind=0.9) == "champion"
    assert aliases(client) == {"champion": version}
    tags = client.get_model_version("reviews", version).tags
    assert tags[REASONS].splitlines()[:2] == [
        f"yes: {NEAR}",
        "yes: 1.00 ms per text, champion 2.00 (required: less time)",
    ]
    assert '"fastest_within":1.0' in tags[JUDGED_BY]
    assert pass_gate(client, "reviews", "1", no_comparison, FASTEST) == "challenger"
