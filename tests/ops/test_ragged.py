"""The layout functions against torch's own packing and plain loops."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence

from elman.ops import ragged

LENGTHS = st.lists(st.integers(0, 9), min_size=1, max_size=8).map(lambda n: sorted(n, reverse=True))


@given(LENGTHS)
def test_batch_sizes_and_lengths_are_inverse(lengths):
    sizes = ragged.batch_sizes_of(torch.tensor(lengths))
    assert sizes.tolist() == [sum(n > t for n in lengths) for t in range(max(lengths))]
    assert ragged.lengths_of(sizes, len(lengths)).tolist() == lengths


@given(LENGTHS.filter(lambda n: n[-1] > 0))
def test_batch_sizes_are_those_of_torch(lengths):
    packed = pack_padded_sequence(torch.zeros(max(lengths), len(lengths), 1), torch.tensor(lengths))
    assert torch.equal(ragged.batch_sizes_of(torch.tensor(lengths)), packed.batch_sizes)


@given(LENGTHS, st.booleans())
def test_padded_and_packed_index_lead_there_and_back(lengths, reverse):
    sizes = ragged.batch_sizes_of(torch.tensor(lengths))
    index, padding = ragged.padded_index(sizes, len(lengths), reverse)
    rows, steps = ragged.rows_and_steps(sizes)
    for b, length in enumerate(lengths):
        own = [n for n in range(len(rows)) if rows[n] == b]
        assert steps[own].tolist() == list(range(length))
        assert index[:length, b].tolist() == (own[::-1] if reverse else own)
        assert padding[:, b].tolist() == [t >= length for t in range(max(lengths))]
    back = ragged.packed_index(sizes, len(lengths), reverse)
    assert torch.equal(index.flatten()[back], torch.arange(sum(lengths)))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8))
def test_sorting_is_stable_and_can_be_undone(lengths):
    order, inverse = ragged.sort_by_length(torch.tensor(lengths))
    assert order.tolist() == sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    assert order[inverse].tolist() == list(range(len(lengths)))
