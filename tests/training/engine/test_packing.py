"""Packed batches: every token belongs to a sentence, and a run has few shapes."""

from itertools import pairwise

import numpy as np
import pytest

from textbook.errors import UserError
from textbook.training.engine.packing import FILLER, RandomBatches, pack_batch
from textbook.training.engine.tokens import Tokens

RANDOM = np.random.default_rng(0)


def make_tokens(lengths):
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = RANDOM.integers(5, 90, offsets[-1]).astype(np.uint16)
    return Tokens(ids, RANDOM.integers(0, 2, offsets[-1]).astype(np.uint8), offsets, 90, max(lengths))


@pytest.mark.parametrize("lengths", [[5], [3, 12, 1, 7], [32, 32], [512, 1, 511]])
def test_sentences_lie_end_to_end_and_filler_completes_the_multiple(lengths):
    tokens, multiple = make_tokens(lengths), 64
    rows = RANDOM.permutation(len(lengths))
    batch = pack_batch(tokens, rows, 1, multiple=multiple)
    starts, count = batch.inputs["starts"].tolist(), len(lengths)
    assert {batch.inputs[name].shape for name in ("input_ids", "token_type_ids", "position_ids")} == {(1, starts[-1])}
    assert starts[-1] % multiple == 0
    assert starts[-1] < sum(lengths) + multiple
    assert len(starts) == count + multiple // FILLER + 1
    for number, row in enumerate(rows):
        place, source = slice(*starts[number : number + 2]), slice(*tokens.offsets[row : row + 2])
        assert batch.inputs["input_ids"][0, place].tolist() == tokens.ids[source].tolist()
        assert batch.inputs["token_type_ids"][0, place].tolist() == tokens.types[source].tolist()
    for start, end in pairwise(starts):
        assert batch.inputs["position_ids"][0, start:end].tolist() == list(range(end - start))
    assert (np.diff(starts)[count:] <= FILLER).all()
    assert (batch.inputs["input_ids"][0, starts[count] :] == 1).all()
    assert batch.weights.tolist() == pytest.approx([1 / count] * count + [0] * (len(starts) - 1 - count))
    assert batch.lengths.tolist() == [lengths[row] for row in rows]


def test_a_run_of_random_batches_has_a_handful_of_shapes():
    tokens = make_tokens(RANDOM.integers(3, 60, 20_000))
    stream = RandomBatches(len(tokens), 256, 0)
    shapes = {pack_batch(tokens, stream.rows(step), 0).inputs["input_ids"].shape for step in range(300)}
    assert len(shapes) <= 8


def test_a_longer_text_is_refused():
    with pytest.raises(UserError, match="a text has 20 tokens: packed batches take at most 19"):
        pack_batch(make_tokens([20, 3]), np.arange(2), 0, longest=19)


def test_every_epoch_has_all_texts_and_every_batch_the_same_number():
    stream = RandomBatches(10, 4, seed=3)
    rows = [stream.rows(step) for step in range(10)]
    assert {len(batch) for batch in rows} == {4}
    epochs = np.concatenate(rows).reshape(4, 10)
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs.tolist())
    assert len({tuple(epoch) for epoch in epochs.tolist()}) == 4
    assert all(np.array_equal(RandomBatches(10, 4, seed=3).rows(step), rows[step]) for step in (7, 2))
    assert not np.array_equal(RandomBatches(10, 4, seed=4).rows(0), rows[0])


def test_a_batch_can_be_larger_than_the_textbook():
    assert sorted(RandomBatches(3, 7, seed=0).rows(0).tolist()[:3]) == [0, 1, 2]
    assert len(RandomBatches(3, 7, seed=0).rows(5)) == 7
