"""What autograd has saved may come back from hooks in another layout, type or size: it is an operand like any other."""

import pytest
import torch

from elman import nn
from elman.errors import ShapeError

LAYOUTS = {
    "columns": lambda t: t.t().contiguous().t() if t.dim() == 2 else t,
    "strided": lambda t: torch.stack([t, t], -1)[..., 0],
    "clone": torch.clone,
}
OTHERS = {
    "half": lambda t: t.half() if t.is_floating_point() else t.int(),
    "double": lambda t: t.double() if t.is_floating_point() else t.int(),
    "short": lambda t: t[:-1] if t.numel() else t.new_zeros(1),
    "wide": lambda t: torch.cat([t, t]) if t.numel() else t.new_zeros(1),
    "empty": lambda t: t.new_empty(0) if t.numel() else t.new_zeros(1),
    "turned": lambda t: t.t().contiguous() if t.dim() == 2 and t.shape[0] != t.shape[1] else t.new_zeros(3),
    "meta": lambda t: t.to("meta"),
}
OPTIONS = [{}, {"bptt_truncate": 2}, {"zoneout": 0.2}, {"clip_recurrent": 0.5}, {"recurrent_dropout": 0.2}]
CELLS = ["rnn", "lstm", "gru", "leaky", "indrnn", "peephole", "gru_before", "layer_lstm", "layer_gru", "min_lstm"]


def gradients(cell, options, change=None, number=None):
    """Of a call whose saved tensors, or the one of this number, come back changed; and how many there were."""
    torch.manual_seed(0)
    if cell.startswith("min"):  # whose state enters no product
        options = {name: value for name, value in options.items() if name != "recurrent_dropout"}
    layer = nn.CELLS[cell](3, 8, batch_first=True, **options)
    x = torch.randn(4, 7, 3, requires_grad=True)
    count = 0

    def unpack(tensor):
        nonlocal count
        count += 1
        return change(tensor) if change and number in (None, count - 1) else tensor

    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor, unpack):
        # Every row has every step: between the layer and its kernels no operator of torch saves anything.
        output = layer(x)[0]
    found = torch.autograd.grad(output, [x, *layer.parameters()], torch.ones_like(output))
    return found, count


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_another_layout_gives_the_same(cell, options):
    expected, _ = gradients(cell, options)
    for change in LAYOUTS.values():
        found, _ = gradients(cell, options, change)
        assert all(torch.equal(a, e) for a, e in zip(found, expected, strict=True))


@pytest.mark.parametrize("cell", CELLS)
def test_another_type_size_or_device_is_refused(cell):
    for options in OPTIONS:
        _, count = gradients(cell, options)
        for name, change in OTHERS.items():
            for number in (None, *range(count)):
                try:
                    gradients(cell, options, change, number)
                except ShapeError:
                    continue
                # What the cell does not save is empty, and is not read whatever it has become.
                seen = []
                gradients(cell, options, lambda t, seen=seen: seen.append(t) or t, number)
                assert seen[0].numel() == 0, (options, name, number)
