import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from textbook.training.engine.batches import BatchStream, shuffled


def epoch_batches(offsets, batch, seed, epoch):
    """The rows of each batch of one epoch of a `BatchStream`."""
    stream = BatchStream(offsets, batch, seed)
    return [stream.rows(epoch * stream.per_epoch + step) for step in range(stream.per_epoch)]


def offsets_of(lengths):
    return np.concatenate([[0], np.cumsum(lengths)])


@settings(max_examples=50)
@given(st.lists(st.integers(1, 128), min_size=1, max_size=400), st.integers(1, 32), st.integers(0, 5))
def test_an_epoch_has_every_text_once(lengths, batch, epoch):
    batches = list(epoch_batches(offsets_of(lengths), batch, seed=0, epoch=epoch))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert len(batches) == -(-len(lengths) // batch)
    assert max(map(len, batches)) <= batch


def test_texts_of_a_batch_have_similar_lengths():
    lengths = np.random.default_rng(0).integers(5, 60, 10_000)
    batches = epoch_batches(offsets_of(lengths), 32, seed=0, epoch=0)
    padded = sum(len(rows) * lengths[rows].max() for rows in batches)
    assert padded < 1.05 * lengths.sum()


def test_a_step_always_has_the_same_batch():
    offsets = offsets_of(np.random.default_rng(0).integers(5, 60, 1000))
    forward, other_seed = BatchStream(offsets, 8, seed=0), BatchStream(offsets, 8, seed=1)
    expected = [forward.rows(step) for step in range(300)]
    for step in (299, 124, 125, 50, 49, 0):  # a resumed run can start at any step
        assert np.array_equal(BatchStream(offsets, 8, seed=0).rows(step), expected[step])
    assert any(not np.array_equal(other_seed.rows(step), expected[step]) for step in range(125))


@settings(max_examples=100)
@given(st.integers(1, 3000), st.integers(0, 9))
def test_a_shuffle_is_a_permutation_that_can_be_computed_in_parts(count, seed):
    whole = shuffled(np.arange(count), count, np.random.default_rng(seed))
    assert sorted(whole.tolist()) == list(range(count))
    part = np.arange(count // 3, count // 2)
    assert np.array_equal(shuffled(part, count, np.random.default_rng(seed)), whole[part])


def test_every_text_is_equally_likely_at_every_position():
    counts = np.zeros((6, 6))
    for seed in range(6000):
        counts[np.arange(6), shuffled(np.arange(6), 6, np.random.default_rng(seed))] += 1
    assert abs(counts - 1000).max() < 150  # five standard deviations


def test_a_billion_texts_are_never_shuffled_as_a_whole():
    class Mapped:  # stands for offsets that take 8 GB
        def __len__(self):
            return 10**9 + 1

        def __getitem__(self, rows):
            return rows * 26

    rows = BatchStream(Mapped(), 256, seed=0).rows(3 * (10**9 // 256))
    assert len(set(rows.tolist())) == 256
    assert 0 <= rows.min() < rows.max() < 10**9
