"""linear_cross_entropy against torch's own cross-entropy of a linear layer."""

import pytest
import torch
from torch.nn.functional import cross_entropy, linear

from elman.errors import ShapeError
from elman.ops import cross_entropy as module
from elman.ops import linear_cross_entropy
from tolerances import close


def tensors(rows, width, words, scale=1.0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(rows)

    def normal(*size):
        return (scale * torch.randn(*size, generator=generator, dtype=dtype)).requires_grad_()

    target = torch.randint(words, (rows,), generator=generator)
    return (normal(rows, width), normal(words, width), normal(words)), target


@pytest.mark.parametrize("scores", [1, 33, 1 << 22])  # a row at a time, several blocks, one
@pytest.mark.parametrize(("rows", "width", "words"), [(1, 1, 1), (7, 3, 9), (17, 8, 16), (0, 4, 5)])
def test_value_and_gradients_are_those_of_torch(monkeypatch, rows, width, words, scores):
    monkeypatch.setattr(module, "_SCORES", scores)
    inputs, target = tensors(rows, width, words)
    expected = cross_entropy(linear(*inputs), target, reduction="sum")
    found = linear_cross_entropy(*inputs, target)
    close(found, expected)
    weight = 0.37  # of a sum of losses
    close(torch.autograd.grad(weight * found, inputs), torch.autograd.grad(weight * expected, inputs))


def test_finite_differences():
    inputs, target = tensors(5, 3, 7)
    assert torch.autograd.gradcheck(lambda *x: linear_cross_entropy(*x, target), inputs)


def test_second_derivatives():
    inputs, target = tensors(5, 3, 7)
    assert torch.autograd.gradgradcheck(lambda *x: linear_cross_entropy(*x, target), inputs)
    alone = inputs[0].detach().requires_grad_()
    frozen = [each.detach() for each in inputs[1:]]
    assert torch.autograd.gradgradcheck(lambda x: linear_cross_entropy(x, *frozen, target), [alone])


def test_large_scores_do_not_overflow():
    inputs, target = tensors(5, 8, 9, scale=60.0, dtype=torch.float32)
    found = linear_cross_entropy(*inputs, target)
    assert found.isfinite()
    close(found, cross_entropy(linear(*inputs), target, reduction="sum"))


def test_without_gradients_the_value_is_the_same():
    inputs, target = tensors(6, 3, 9)
    with torch.no_grad():
        found = linear_cross_entropy(*inputs, target)
    assert torch.equal(found, linear_cross_entropy(*inputs, target).detach())
    assert all(not part.grad_fn for part in inputs)


@pytest.mark.parametrize("wrong", [9, -1])
def test_a_target_outside_the_vocabulary_is_refused(wrong):
    inputs, target = tensors(6, 3, 9)
    target[4] = wrong
    with pytest.raises(ShapeError, match=rf"targets in 0 \.\. 8, got .*{wrong}"):
        linear_cross_entropy(*inputs, target)
    with pytest.raises(ShapeError, match=r"targets in 0 \.\. 8"):
        module.cross_entropy_by_row(*inputs, target)


def test_sizes_and_types_that_do_not_fit_are_refused():
    (x, weight, bias), target = tensors(6, 3, 9)
    for wrong in ((x, weight, bias[1:], target), (x, weight, bias, target[1:]), (x, weight, bias, target.int())):
        with pytest.raises(ShapeError, match="Expected x"):
            linear_cross_entropy(*wrong)
    with pytest.raises(ShapeError, match="Expected a"):
        linear_cross_entropy(x[:, 1:], weight, bias, target)
