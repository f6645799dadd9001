"""The faster embedding is torch's, value and gradient, bit for bit."""

import pytest
import torch

from elman.nn import Embedding


@pytest.mark.parametrize("size", [(), (0,), (500,), (20, 30)], ids=str)
@pytest.mark.parametrize("options", [{}, {"padding_idx": 0}, {"max_norm": 1.0}, {"scale_grad_by_freq": True}], ids=str)
def test_values_and_gradients_are_those_of_torch(size, options):
    torch.manual_seed(0)
    theirs = torch.nn.Embedding(40, 7, **options)
    ours = Embedding(40, 7, **options)
    ours.load_state_dict(theirs.state_dict())
    ids = torch.randint(0, 40, size)
    upstream = torch.randn(*size, 7)
    results = []
    for layer in (ours, theirs):
        output = layer(ids)
        output.backward(upstream)
        results.append((output.detach(), layer.weight.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


def test_compiles():
    layer = Embedding(40, 7)
    ids = torch.randint(0, 40, (3, 5))
    assert torch.equal(torch.compile(layer, fullgraph=True, backend="aot_eager")(ids), layer(ids))
