"""`unpad` and `pad` against a loop, for any dtype, stride and order; each is the other's gradient."""

import pytest
import torch

from elman.ops import padding as room
from elman.ops.padding import Padding, pad, unpad

LENGTHS = [[3, 0, 5, 5, 1], [0, 0], [4], [7] * 3, list(range(40))]


def padded_batch(lengths, batch_first, width=3, dtype=torch.float32):
    steps = max(lengths) + 2
    x = torch.randn(len(lengths), steps, width).mul(100).to(dtype)
    return x if batch_first else x.transpose(0, 1).contiguous()


def elements(x, lengths, batch_first):
    """What a loop over steps and rows, longest first, finds."""
    rows = x if batch_first else x.transpose(0, 1)
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    found = [rows[b, t] for t in range(max(lengths)) for b in order if lengths[b] > t]
    return torch.stack(found) if found else x.new_empty(0, *x.shape[2:])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.int64], ids=str)
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("lengths", LENGTHS, ids=len)
def test_against_a_loop(lengths, batch_first, dtype):
    x = padded_batch(lengths, batch_first, dtype=dtype)
    padding = Padding(torch.tensor(lengths), x.shape[1 if batch_first else 0], batch_first)
    data = unpad(x, padding)
    assert torch.equal(data, elements(x, lengths, batch_first))
    back = pad(data, padding)
    beyond = torch.arange(padding.steps) >= torch.tensor(lengths)[:, None]
    assert torch.equal(back, x.masked_fill((beyond if batch_first else beyond.T)[..., None], 0))


@pytest.mark.parametrize("width", [1, 3, 5000])
@pytest.mark.parametrize("batch_first", [False, True])
def test_the_kernel_and_torchs_indexing_agree_and_so_do_their_gradients(batch_first, width, monkeypatch):
    lengths = [9, 2, 70, 0, 31]
    x = padded_batch(lengths, batch_first, width).requires_grad_()
    padding = Padding(torch.tensor(lengths), x.shape[1 if batch_first else 0], batch_first)
    found = []
    for by_kernel in (True, False):
        monkeypatch.setattr(room, "_by_kernel", lambda tensor, answer=by_kernel: answer)
        data = unpad(x, padding)
        back = pad(data * 2, padding)
        (gradient,) = torch.autograd.grad(back, x, torch.arange(back.numel()).view(back.shape).float())
        found.append((data, back, gradient))
    for kernel, indexing in zip(*found, strict=True):
        assert torch.equal(kernel, indexing)


@pytest.mark.parametrize("change", [lambda x: x[..., ::2], lambda x: x[:, :, 1:], lambda x: x.expand(5, *x.shape[1:])])
def test_strides(change):
    x = change(torch.randn(1, 6, 8).repeat(5, 1, 1))
    lengths = [6, 2, 3, 0, 6]
    assert torch.equal(unpad(x, Padding(torch.tensor(lengths), 6, True)), elements(x, lengths, True))


def test_second_derivatives():
    padding = Padding(torch.tensor([2, 3]), 3, True)
    x = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda t: pad(unpad(t, padding) ** 3, padding), (x,))
