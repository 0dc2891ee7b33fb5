"""Choosing a registered version by its size and time."""

from pathlib import Path

import pytest
from toy_registry import add, make_record

from pipelines.commands.pull import main as pull
from textbook.errors import UserError
from tracking.within import best_within

VERSIONS = {  # score, milliseconds, megabytes
    "large": (84.0, 4.0, 40.0),
    "medium": (82.0, 2.0, 20.0),
    "narrow": (80.0, 3.0, 5.0),
    "twin": (82.0, 2.0, 20.0),
}


@pytest.fixture
def registered(client):
    """Four versions with figures, and one of an earlier release."""
    client.create_registered_model("reviews")
    for name, (score, ms, mb) in VERSIONS.items():
        tags = {"score": str(score), "ms_per_sentence": str(ms), "bytes": str(int(1e6 * mb))}
        client.create_model_version("reviews", f"s3://store/{name}", tags=tags)
    client.create_model_version("reviews", "s3://store/old", tags={"score": "99"})
    return client


@pytest.mark.parametrize(
    ("limits", "version"),
    [((4.0, None), "1"), ((3.9, None), "4"), ((None, 10.0), "3"), ((2.0, 20.0), "4"), ((None, 100.0), "1")],
)
def test_the_best_version_within_the_limits_is_chosen(registered, limits, version):
    best, without_figures = best_within(registered, "reviews", *limits)
    assert str(best.version.version) == version
    assert without_figures == ["5"]


@pytest.mark.parametrize(
    ("limits", "least"),
    [
        ((1.9, None), "the fastest is version 2 (score 82.00, 2.00 ms per text, 20.0 MB)"),
        ((None, 4.0), "the smallest is version 3 (score 80.00, 3.00 ms per text, 5.0 MB)"),
        ((2.5, 10.0), "MB) and the smallest is version 3"),
    ],
)
def test_if_none_is_within_the_limits_the_least_is_named(registered, limits, least):
    with pytest.raises(UserError) as error:
        best_within(registered, "reviews", *limits)
    message = str(error.value)
    assert message.startswith("model 'reviews': no version is within the limits; ")
    assert least in message


def test_versions_without_figures_are_no_choice(registered):
    for version in "1234":
        registered.delete_model_version("reviews", version)
    with pytest.raises(UserError, match=r"model 'reviews': no version has the tags score, ms_per_sentence and bytes"):
        best_within(registered, "reviews", 3.0, None)
    with pytest.raises(UserError, match=r"no model 'films' is registered \(registered: reviews\)"):
        best_within(registered, "films", 3.0, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_ms": 0.0}, "MAX_MS = 0: must be a number above 0"),
        ({"max_mb": float("nan")}, "MAX_MB = nan: must be a number above 0"),
        ({"max_mb": 3.0, "alias": "challenger"}, "ALIAS = challenger: must not be given with MAX_MS or MAX_MB"),
    ],
)
def test_wrong_limits_are_refused(arguments, message):
    with pytest.raises(UserError, match=f"^{message}"):
        pull("reviews", **arguments)


def test_the_version_within_the_limits_is_fetched(client, experiment, tiny_teacher, tmp_path, capsys):
    record = make_record(tiny_teacher, tmp_path / "classifier")
    add(client, experiment, record, "first")
    with pytest.raises(UserError, match="no version has the tags"):
        pull("reviews", max_ms=3.0)
    figures = {"score": "81.25", "ms_per_sentence": "1.5", "bytes": "8400000"}
    add(client, experiment, record, "second", **figures)
    pull("reviews", max_ms=3.0)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "reviews: versions without figures on score, size and time are left out: 1",
        "reviews: the best within the limits is version 2 (score 81.25, 1.50 ms per text, 8.4 MB)",
        "reviews version 2 is in pulled/reviews. To use it:",
    ]
    assert Path("pulled/reviews/model.safetensors").is_file()
    add(client, experiment, record, "first", **{**figures, "score": "90", "training_rows": "7"})  # by the next release
    assert client.get_model_version("reviews", "1").tags["training_rows"] == "1000"
    best, without_figures = best_within(client, "reviews", 3.0, None)
    assert (str(best.version.version), without_figures) == ("1", [])
