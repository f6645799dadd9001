"""Lengths in any form of whole numbers; what they must not be is refused, in a graph too."""

import numpy as np
import pytest
import torch

from elman import nn
from elman.errors import ShapeError
from elman.ops import ragged
from tolerances import close

LENGTHS = [7, 3, 1, 0]
TYPES = [torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.int8, torch.int16, torch.int32, torch.int64]
NETWORKS = ["gru", "clockwork", "dilated_lstm", "stack", "text"]


class Network(torch.nn.Module):
    def __init__(self, name):
        super().__init__()
        two = {"bidirectional": True, "batch_first": True}
        if name == "text":
            self.network = nn.TextRNN(10, 2)
        elif name == "stack":
            self.network = nn.Stack(3, [5, 4], **two)
        else:
            self.network = nn.CELLS[name](3, 8, 2, **two)
        self.eval()

    def forward(self, x, lengths):
        output = self.network(x, lengths=lengths)
        return output[0] if isinstance(output, tuple) else output


def input_of(name, rows=4, steps=7):
    return torch.randint(1, 10, (rows, steps)) if name == "text" else torch.randn(rows, steps, 3)


@pytest.mark.parametrize(
    "lengths",
    [
        *(torch.tensor(LENGTHS, dtype=dtype) for dtype in TYPES),
        *(np.array(LENGTHS, dtype=name) for name in ("int64", "uint8", "uint16", "uint64", "int32")),
        np.array(LENGTHS[::-1])[::-1],
        tuple(LENGTHS),
        [torch.tensor(length) for length in LENGTHS],
        [np.uint64(length) for length in LENGTHS],
    ],
    ids=lambda lengths: f"{type(lengths).__name__} {getattr(lengths, 'dtype', '')}",
)
def test_whole_numbers_of_any_type(lengths):
    layer, x = nn.GRU(3, 5, batch_first=True), torch.randn(4, 7, 3)
    assert torch.equal(layer(x, lengths=lengths)[0], layer(x, lengths=LENGTHS)[0])


@pytest.mark.parametrize("iterator", [iter, lambda lengths: (n for n in lengths), lambda lengths: map(int, lengths)])
def test_an_iterator_is_read_once(iterator):
    for name in ("gru", "stack", "text"):
        network, x = Network(name), input_of(name)
        assert torch.equal(network(x, iterator(LENGTHS)), network(x, LENGTHS))
    features = torch.randn(4, 7, 2)
    both = nn.BothWays(10, 2, feature_dim=2, bidirectional=False).eval()
    ids = input_of("text")
    assert torch.equal(both(ids, iterator(LENGTHS), features), both(ids, LENGTHS, features))


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (4, "one per row and in their order, got a int"),
        ("7310", "got a str"),
        ({7, 3, 1, 0}, "got a set"),
        (["7", "3", "1", "0"], "got the str '7'"),
        ([7, 3, 1, None], "got the NoneType None"),
        ([True, False, True, True], "got the bool True"),
        ([7.0, 3.0, 1.0, 0.0], "got the float 7.0"),
        (np.array([7.0, 3, 1, 0]), "must be integers"),
        (np.array(7), "of one dimension"),
        ([[7], [3], [1], [0]], r"got the list \[7\]"),
        (torch.tensor(LENGTHS)[:, None], r"size \(4,\), one per row, got \(4, 1\)"),
        (torch.tensor([1j] * 4), "must be integers, got torch.complex64"),
        (torch.tensor([True] * 4), "must be integers, got torch.bool"),
        ([2**70, 3, 1, 0], "up to 64 bits"),
        (np.array([2**63, 3, 1, 0], dtype=np.uint64), "up to 64 bits"),
        (np.array([65535, 3, 1, 0], dtype=np.uint16), "between 0 and 7 .* got 0 to 65535"),
    ],
)
def test_what_lengths_are_not(lengths, message):
    with pytest.raises(ShapeError, match=message):
        nn.GRU(3, 5, batch_first=True)(torch.randn(4, 7, 3), lengths=lengths)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, on importing its compiler
@pytest.mark.parametrize("name", NETWORKS)
def test_a_compiled_graph_refuses_lengths_beyond_the_steps(name):
    torch.compiler.reset()
    network = Network(name)
    compiled = torch.compile(network, fullgraph=True, dynamic=True, backend="aot_eager")
    for rows, steps in ((4, 7), (3, 9)):
        x, lengths = input_of(name, rows, steps), torch.arange(rows)
        close(compiled(x, lengths), network(x, lengths), kind="classifier")
        with pytest.raises(ShapeError, match=f"between 0 and {steps} .* got 0 to {steps + 1}"):
            compiled(x, torch.tensor([steps + 1, *[0] * (rows - 1)]))
        with pytest.raises(ShapeError, match=f"between 0 and {steps} .* got -1 to 2"):
            compiled(x, torch.tensor([2, *[-1] * (rows - 1)]))


@pytest.mark.parametrize("name", NETWORKS)
def test_an_exported_graph_refuses_them_and_takes_any_batch(name):
    network, rows, steps = Network(name), torch.export.Dim("B", min=2), torch.export.Dim("T", min=2)
    sizes = ({0: rows, 1: steps}, {0: rows})
    example = (input_of(name), torch.tensor(LENGTHS))
    exported = torch.export.export(network, example, dynamic_shapes=sizes).module()
    x, lengths = input_of(name, 6, 9), torch.tensor([9, 0, 2, 5, 9, 1])
    close(exported(x, lengths), network(x, lengths), kind="classifier")
    for wrong in (lengths + 1, lengths - 1):
        with pytest.raises(ShapeError, match="Expected lengths between 0 and 9"):
            exported(x, wrong)


@pytest.mark.parametrize("name", ["clockwork", "scrn", "dilated_rnn", "dilated_lstm", "dilated_gru"])
def test_what_rearranges_time_exports_with_a_batch_of_any_size(name):
    layer = nn.CELLS[name](3, 8, 2, batch_first=True).eval()
    sizes = {0: torch.export.Dim("B", min=2), 1: torch.export.Dim("T", min=2)}
    exported = torch.export.export(layer, (torch.randn(4, 7, 3),), dynamic_shapes=(sizes,)).module()
    x = torch.randn(6, 11, 3)
    close(exported(x)[0], layer(x)[0], kind="classifier")


def test_the_operator_passes_opcheck():
    torch.library.opcheck(torch.ops.elman.lay_out.default, (torch.tensor(LENGTHS), 7, True))
    with pytest.raises(ShapeError):
        ragged.lay_out(torch.tensor([8]), 7, True)
