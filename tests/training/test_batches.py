import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from textbook.training.batches import BatchStream, epoch_batches


@settings(max_examples=50)
@given(st.lists(st.integers(1, 128), min_size=1, max_size=400), st.integers(1, 32), st.integers(0, 5))
def test_an_epoch_has_every_text_once(lengths, batch, epoch):
    batches = epoch_batches(np.array(lengths), batch, seed=0, epoch=epoch)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert len(batches) == -(-len(lengths) // batch)
    assert max(map(len, batches)) <= batch


def test_texts_of_a_batch_have_similar_lengths():
    lengths = np.random.default_rng(0).integers(5, 60, 10_000)
    batches = epoch_batches(lengths, 32, seed=0, epoch=0)
    padded = sum(len(rows) * lengths[rows].max() for rows in batches)
    assert padded < 1.05 * lengths.sum()


def test_a_step_is_always_the_same_batch():
    lengths = np.random.default_rng(0).integers(5, 60, 100)
    forward, other_seed = BatchStream(lengths, 8, seed=0), BatchStream(lengths, 8, seed=1)
    seen = [forward.rows(step) for step in range(30)]
    for step in (29, 12, 13, 0):  # a resumed run starts anywhere
        assert np.array_equal(BatchStream(lengths, 8, seed=0).rows(step), seen[step])
    assert any(not np.array_equal(other_seed.rows(step), seen[step]) for step in range(13))
