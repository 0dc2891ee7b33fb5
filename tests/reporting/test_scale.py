"""The estimate for the paper's scale."""

import pytest

from textbook.reporting.scale import scale

RETRIEVAL = {
    "threads": 2,
    "text_bytes": 160e9 / 100,
    "sentences": 1_000_000,
    "corpus_bytes": 1e9,
    "ingest_seconds": 36.0,
    "ingest_peak_gb": 2.0,
    "validation_seconds": 18.0,
    "index_sentences_per_second": 10_000,
    "index_bytes": 3e9,
    "index_peak_gb": 1.5,
    "anchors": 1000,
    "textbook_anchors_per_second": 1000,
}
DISTILLATION = {"device": "a CPU", "share_of_peak": 0.5, "peak_tflops": 1.0, "tokens_per_sentence": 26.4}


@pytest.fixture
def estimate():
    return scale(RETRIEVAL, DISTILLATION, cost_per_hour=2.0)


def test_work_on_the_text_grows_with_its_bytes_and_retrieval_with_the_anchors_too(estimate):
    _, ingest, check, index, textbooks = estimate.text
    assert ingest[1:] == ("36 s on 2 cores", "x 100", "2 core hours", "100 GB")
    assert check[3:] == ("1 core hours", "")
    assert index[1:] == ("100 s on 2 cores", "x 100", "6 core hours", "300 GB")
    # Both sentences of a pair are anchors. All tasks of Table 1 except SST-2 and CoLA have pairs.
    anchors = 67350 + 8551 + 2 * (392703 + 2491 + 3669 + 5750 + 363847 + 104744)
    assert f"({anchors:,} anchors" in textbooks[0]
    assert textbooks[1:4] == ("1 s on 2 cores", f"x {anchors / 10:,.0f}", f"{anchors / 10 * 2 / 3600:,.0f} core hours")


def test_gpu_hours_are_operations_over_speed_and_their_cost_is_by_the_hour(estimate):
    head, teachers, student, column = estimate.gpu
    assert head[2:] == ("a CPU, 50%", "H100, 10%", "H100, 25%", "H100, 50%")
    # Two operations per weight and token: 18 layers of the teacher and three times 5 of the student (forward and
    # backward), plus the projections to queries, keys and values of both. Attention itself is small.
    weights = (18 * 12 + 3) * 1024**2 + 3 * (5 * 12 + 3) * 384**2
    assert float(student[1]) == pytest.approx(2 * weights * 26 * 400_000 * 256, rel=0.05)
    assert float(column[1]) == pytest.approx(8 * float(student[1]), rel=0.05)
    hours, cost = (float(part.replace(",", "")) for part in column[3].replace(" h", "").split(", "))
    assert hours == pytest.approx(float(column[1]) / (0.1 * 800e12) / 3600, rel=0.05)
    assert cost == pytest.approx(2 * hours, abs=2)
    assert float(teachers[1]) > 0


def test_limits_state_their_sizes(estimate):
    limits = {resource: size for resource, size, _ in estimate.limits}
    assert limits["the index, memory-mapped"].startswith("300 GB")
    assert limits["merging a textbook: the hits of a batch of anchors"] == "1.7 GB of memory"  # 16.8 million hits
    assert limits["hashing by DVC"] == "400 GB to read once"
