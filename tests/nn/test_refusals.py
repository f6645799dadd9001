"""Sizes that do not fit raise errors with what was wanted and what was given."""

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

from elman import nn
from elman.errors import ShapeError, UsageError

X = torch.zeros(7, 4, 5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m(torch.zeros(7, 4, 6)), "Expected 5, got 6"),
        (lambda m: m(torch.zeros(5)), "2D .* or 3D .*, got 1D"),
        (lambda m: m(X, torch.zeros(1, 3, 6)), r"Expected hidden\[0\] size \(1, 4, 6\).*got \[1, 3, 6\]"),
        (lambda m: m(X[:, 0], torch.zeros(1, 4, 6)), r"Expected hidden\[0\] size \(1, 6\)"),
        (lambda m: m(X, lengths=[1, 2, 3]), r"size \(4,\), one per row, got \(3,\)"),
        (lambda m: m(X, lengths=[1, 2, 3, 8]), "between 0 and 7 .*got 1 to 8"),
        (lambda m: m(X, lengths=[1, 2, 3, -1]), "between 0 and 7 .*got -1 to 3"),
        (lambda m: m(X, lengths=[1.0, 2.0, 3.0, 4.0]), "must be integers, got the float 1.0"),
        (lambda m: m(X[:, 0], lengths=[7]), "unbatched"),
        (lambda m: m(pack_sequence([torch.zeros(2, 5)]), lengths=[2]), "PackedSequence carries its own"),
    ],
)
def test_recurrent_layers(call, message):
    with pytest.raises(ShapeError, match=message):
        call(nn.RNN(5, 6))


@pytest.mark.parametrize(
    ("layer", "hx", "message"),
    [
        (nn.LSTM, torch.zeros(1, 4, 6), r"a pair of tensors \(h_0, c_0\) as the state of LSTM, got Tensor"),
        (nn.PeepholeLSTM, (torch.zeros(1, 4, 6),), r"a pair of tensors \(h_0, c_0\) .* got tuple of Tensor"),
        (nn.MinGRU, (torch.zeros(1, 4, 6), torch.zeros(1, 4, 6)), "a tensor h_0 as the state of MinGRU, got tuple"),
        (
            nn.CoupledLSTM,
            (torch.zeros(1, 4, 6), torch.zeros(1, 3, 6)),
            r"hidden\[1\] size \(1, 4, 6\).*got \[1, 3, 6\]",
        ),
        (nn.DilatedGRU, torch.zeros(2, 4, 6), r"hidden\[0\] size \(1, 4, 6\).*got \[2, 4, 6\]"),
    ],
)
@pytest.mark.parametrize("gradients", [True, False])
def test_states_of_the_wrong_kind(layer, hx, message, gradients):
    with torch.set_grad_enabled(gradients), pytest.raises(ShapeError, match=message):
        layer(5, 6)(X, hx)


@pytest.mark.parametrize("layer", [nn.RNN, nn.LSTM, nn.GRU, nn.IndRNN])
def test_sizes_and_dropout_that_no_layer_has(layer):
    for arguments, message in [
        ({"input_size": 0, "hidden_size": 4}, "input_size must be greater than zero, got 0"),
        ({"input_size": "10", "hidden_size": 4}, "input_size should be of type int, got: str '10'"),
        ({"input_size": 4, "hidden_size": 4.0}, "hidden_size should be of type int, got: float 4.0"),
        ({"input_size": 4, "hidden_size": 4, "dropout": "a"}, "dropout must be a number, got 'a'"),
        ({"input_size": 4, "hidden_size": -1}, "hidden_size must be greater than zero, got -1"),
        ({"input_size": 4, "hidden_size": 4, "num_layers": 0}, "num_layers must be greater than zero, got 0"),
        ({"input_size": 4, "hidden_size": 4, "dropout": 1.5}, "dropout must be at least 0 and at most 1, got 1.5"),
        ({"input_size": 4, "hidden_size": 4, "bptt_truncate": 1.5}, "bptt_truncate must be a whole number, got 1.5"),
        (
            {"input_size": 4, "hidden_size": 4, "bptt_truncate": float("inf")},
            "bptt_truncate must be a whole number, got inf",
        ),
        ({"input_size": 4, "hidden_size": 4, "bptt_truncate": 10**30}, "bptt_truncate must be at least 1, or None"),
    ]:
        with pytest.raises(UsageError, match=message):
            layer(**arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "lst"}, "unknown cell 'lst': choose one of rnn, lstm, gru"),
        ({"pooling": "sum"}, "unknown pooling 'sum': choose one of last, mean"),
        ({"merge": "max"}, "unknown merge 'max': choose one of concat, sum, mean, product"),
    ],
)
def test_text_rnn_options(options, message):
    with pytest.raises(UsageError, match=message):
        nn.TextRNN(10, 2, **options)


def test_an_empty_list_is_the_lengths_of_no_rows():
    output, h_n = nn.GRU(3, 4)(torch.zeros(5, 0, 3), lengths=[])
    assert output.shape == (5, 0, 4) and h_n.shape == (1, 0, 4)


def test_a_state_that_is_none():
    with pytest.raises(ShapeError, match=r"pair of tensors \(h_0, c_0\) as the state of LSTM, got int"):
        nn.LSTM(3, 4)(torch.zeros(5, 2, 3), 3)
    with pytest.raises(ShapeError, match="a tensor h_0 as the state of GRU, got list"):
        nn.GRU(3, 4)(torch.zeros(5, 2, 3), [torch.zeros(1, 2, 4)])


def test_nonlinearity():
    with pytest.raises(UsageError, match="Unknown nonlinearity 'sine'"):
        nn.RNN(5, 6, nonlinearity="sine")


def test_ids_outside_the_vocabulary():
    with pytest.raises(ShapeError, match=r"token ids in 0 .. 9, got 1 .. 10"):
        nn.TextRNN(10, 2)(torch.tensor([[1, 10]]))
