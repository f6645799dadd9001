"""The softmax of a language model, full and adaptive, against torch's."""

import pytest
import torch
from torch.nn.functional import cross_entropy, linear

from elman.errors import UsageError
from elman.nn import LanguageModel, Softmax
from tolerances import close

WORDS, WIDTH, ROWS = 23, 5, 40


def made(cutoffs):
    torch.manual_seed(1)
    softmax = Softmax(WORDS, WIDTH, cutoffs).double()
    for parameter in softmax.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(ROWS, WIDTH, dtype=torch.float64, requires_grad=True)
    return softmax, x, torch.arange(ROWS) % WORDS  # every word occurs


def brute_force(softmax, x, word):
    """p(word) of one row, class by class."""
    scores = [float(softmax.weight[i] @ x + softmax.bias[i]) for i in range(WORDS)]
    ends = [*softmax.cutoffs, WORDS]
    head = scores[: ends[0]] + [float(w @ x + b) for w, b in zip(softmax.class_weight, softmax.class_bias, strict=True)]
    head = torch.tensor(head, dtype=torch.float64).softmax(0)
    if word < ends[0]:
        return head[word]
    number = next(n for n, end in enumerate(ends) if word < end) - 1
    inside = torch.tensor(scores[ends[number] : ends[number + 1]], dtype=torch.float64).softmax(0)
    return head[ends[0] + number] * inside[word - ends[number]]


def test_the_full_one_is_torchs():
    softmax, x, target = made([])
    scores = linear(x, softmax.weight, softmax.bias)
    close(softmax(x), scores.log_softmax(-1))
    loss = cross_entropy(scores, target, reduction="sum")
    close(softmax.loss(x, target), loss)
    inputs = [x, *softmax.parameters()]
    close(torch.autograd.grad(softmax.loss(x, target), inputs), torch.autograd.grad(loss, inputs))


@pytest.mark.parametrize("cutoffs", [[8], [4, 9], [1, 2, 22]])
def test_the_adaptive_one_is_torchs_where_classes_are_as_wide(cutoffs):
    softmax, x, target = made(cutoffs)
    torchs = torch.nn.AdaptiveLogSoftmaxWithLoss(WIDTH, WORDS, cutoffs, div_value=1.0, head_bias=True).double()
    first = cutoffs[0]
    with torch.no_grad():
        softmax.bias[first:] = 0  # torch's classes have no bias, and a projection
        torchs.head.weight.copy_(torch.cat([softmax.weight[:first], softmax.class_weight]))
        torchs.head.bias.copy_(torch.cat([softmax.bias[:first], softmax.class_bias]))
        for (projection, words), begin, end in zip(torchs.tail, cutoffs, [*cutoffs[1:], WORDS], strict=True):
            projection.weight.copy_(torch.eye(WIDTH))
            words.weight.copy_(softmax.weight[begin:end])
    close(softmax(x), torchs.log_prob(x))
    expected = -torchs(x, target).output.sum()
    close(softmax.loss(x, target), expected)
    close(torch.autograd.grad(softmax.loss(x, target), x), torch.autograd.grad(expected, x))


@pytest.mark.parametrize("cutoffs", [[8], [4, 9]])
def test_the_adaptive_one_by_hand(cutoffs):
    softmax, x, target = made(cutoffs)
    with torch.no_grad():
        found = softmax(x).exp()
        for row in range(ROWS):
            close(found[row, target[row]], brute_force(softmax, x[row], int(target[row])))


@pytest.mark.parametrize("cutoffs", [[], [8], [4, 9]])
def test_probabilities_sum_to_one_and_the_loss_is_theirs(cutoffs):
    softmax, x, target = made(cutoffs)
    found = softmax(x)
    close(found.exp().sum(-1), torch.ones(ROWS, dtype=torch.float64))
    close(softmax.loss(x, target), -found.gather(1, target[:, None]).sum())
    close(softmax(x.view(4, 10, WIDTH)), found.view(4, 10, WORDS))
    assert softmax.loss(x[:0], target[:0]) == 0


@pytest.mark.parametrize("cutoffs", [[], [8], [4, 9]])
@pytest.mark.parametrize("rows", [slice(0, 3), slice(0, 30)])  # the head alone; all classes
def test_finite_differences(cutoffs, rows):
    softmax, x, target = made(cutoffs)
    names = [name for name, _ in softmax.named_parameters()]

    def loss(x, *parameters):
        for name, parameter in zip(names, parameters, strict=True):
            softmax._parameters[name] = parameter
        return softmax.loss(x, target[rows])

    inputs = [x[rows].detach().requires_grad_(), *(p.detach().clone().requires_grad_() for p in softmax.parameters())]
    assert torch.autograd.gradcheck(loss, inputs)


@pytest.mark.parametrize("cutoffs", [[0], [23], [5, 5], [9, 4]])
def test_cutoffs_must_rise_inside_the_vocabulary(cutoffs):
    with pytest.raises(UsageError, match="must rise from 1 to below the vocabulary's 23, got"):
        Softmax(WORDS, WIDTH, cutoffs)


@pytest.mark.parametrize("tied", [False, True])
def test_word_vectors_that_are_the_softmax_start_wider(tied):
    torch.manual_seed(0)
    model = LanguageModel(2000, embedding_dim=30, hidden_size=30, tied=tied)
    expected = 0.1 if tied else 0.1 / 3**0.5  # of N(0, 0.1) and of U(-0.1, 0.1)
    assert (model.embedding.weight is model.softmax.weight) == tied
    for weight in (model.embedding.weight, model.softmax.weight):
        assert weight.std().item() == pytest.approx(expected, rel=0.02)
