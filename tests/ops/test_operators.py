"""The kernels as torch operators: schema, autograd, compile, export, autocast, transforms, second derivatives."""

import copy
import pickle

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence

from cells import NATIVE, arguments, random_like, run
from elman import ops
from elman.nn import GRU, LSTM, RNN
from elman.ops import native  # noqa: F401  (registers the operators)
from tolerances import close

LAYERS = [RNN, LSTM, GRU]
NUMBERS = (-1, 0.0, 0.0)  # no truncation, clipping or regulariser


def operands(case, args):
    c_0 = args.state_0[1] if case.states == 2 else None
    others = (*args.weights[5:], None, None, None)
    return (case.name, args.data, args.batch_sizes, args.state_0[0], c_0, *args.weights[:4], *others)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("case", NATIVE, ids=str)
def test_the_forward_operator_passes_opcheck(case, reverse, keep):
    args = arguments(case, [4, 3, 1, 0], dtype=torch.float32)
    torch.library.opcheck(torch.ops.elman.recurrent.default, (*operands(case, args), reverse, keep, *NUMBERS))


@pytest.mark.parametrize("needs", [(True, True), (False, True), (True, False)], ids=str)
@pytest.mark.parametrize("case", NATIVE, ids=str)
def test_the_backward_operator_passes_opcheck(case, needs):
    args = arguments(case, [4, 3, 1, 0], dtype=torch.float32)
    inputs = [t.detach() if isinstance(t, torch.Tensor) else t for t in operands(case, args)]
    output, h_n, c_n, gates, inner = torch.ops.elman.recurrent(*inputs, False, True, *NUMBERS)
    doutput, dh_n = random_like([output, h_n])
    dc_n = torch.ones_like(c_n) if case.states == 2 else None
    cell, *tensors = inputs
    torch.library.opcheck(
        torch.ops.elman.recurrent_backward.default,
        (cell, list(needs), doutput, dh_n, dc_n, *tensors, output, gates, inner, False, False, *NUMBERS),
    )


@pytest.mark.parametrize("frozen", ["data", "weights"])
@pytest.mark.parametrize("case", NATIVE, ids=str)
def test_what_needs_no_gradient_gets_none_and_changes_no_other(case, frozen):
    args = arguments(case, [4, 2])
    names = [args.data] if frozen == "data" else [w for w in args.weights if w is not None]
    others = [leaf for leaf in args.leaves() if all(leaf is not name for name in names)]
    loss = lambda: run(ops, case, args)[0].square().sum()  # noqa: E731
    expected = torch.autograd.grad(loss(), others)
    for tensor in names:
        tensor.requires_grad_(False)
    for actual, wanted in zip(torch.autograd.grad(loss(), others), expected, strict=True):
        assert torch.equal(actual, wanted)


@pytest.mark.parametrize("case", NATIVE, ids=str)
def test_a_graph_that_is_kept_can_be_walked_twice(case):
    args = arguments(case, [4, 2])
    output = run(ops, case, args)[0]
    first = torch.autograd.grad(output.sum(), args.leaves(), retain_graph=True)
    for again, once in zip(torch.autograd.grad(output.sum(), args.leaves()), first, strict=True):
        assert torch.equal(again, once)


@pytest.mark.parametrize("case", NATIVE, ids=str)
def test_second_derivatives(case):
    args = arguments(case, [3, 2], input_size=2, hidden_size=2)

    assert torch.autograd.gradgradcheck(lambda *leaves: run(ops, case, args.replaced(leaves)), args.leaves())


@pytest.mark.parametrize("layer", LAYERS)
def test_a_graph_of_gradients_does_not_go_through_the_call_before(layer):
    """Where a layer's input depends on its own weights, as when a state is carried from call to call."""
    ours = layer(3, 5, dtype=torch.float64)
    theirs = getattr(torch.nn, layer.__name__)(3, 5, dtype=torch.float64)
    theirs.load_state_dict(ours.state_dict())
    x, found = torch.randn(6, 2, 3, dtype=torch.float64), []
    for model in (ours, theirs):
        _, state = model(x[:3])
        loss = model(x[3:], state)[0].square().sum()
        once = torch.autograd.grad(loss, list(model.parameters()), create_graph=True)
        penalty = sum(g.square().sum() for g in once)
        found.append([*once, *torch.autograd.grad(penalty, list(model.parameters()))])
    for actual, expected in zip(*found, strict=True):
        torch.testing.assert_close(actual, expected)


class Classifier(torch.nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.embedding = torch.nn.Embedding(50, 8)
        self.recurrent = layer(8, 16, num_layers=2, bidirectional=True, batch_first=True)
        self.output = torch.nn.Linear(32, 3)

    def forward(self, ids):
        return self.output(self.recurrent(self.embedding(ids))[0].mean(1))


def gradients(model, loss):
    return torch.autograd.grad(loss, list(model.parameters()))


@pytest.mark.parametrize("layer", LAYERS)
def test_compiles_without_a_break_for_any_batch_and_length(layer):
    torch.compiler.reset()
    model = Classifier(layer)
    compiled = torch.compile(model, fullgraph=True, dynamic=True, backend="aot_eager")
    for size in ((4, 7), (5, 9), (2, 30)):
        ids = torch.randint(0, 50, size)
        actual, expected = compiled(ids), model(ids)
        close(actual, expected, kind="classifier")
        for a, e in zip(gradients(model, actual.sum()), gradients(model, expected.sum()), strict=True):
            close(a, e, kind="classifier")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, on importing its compiler
def test_compiles_with_the_default_backend():
    torch.compiler.reset()
    model = Classifier(LSTM)
    ids = torch.randint(0, 50, (3, 6))
    close(torch.compile(model, fullgraph=True)(ids), model(ids), kind="classifier")


@pytest.mark.parametrize("form", ["lengths", "packed"])
@pytest.mark.parametrize("layer", LAYERS)
def test_compiles_ragged_batches(layer, form):
    torch.compiler.reset()
    model = layer(3, 5, batch_first=True, bidirectional=True)
    compiled = torch.compile(model, fullgraph=True, dynamic=True, backend="aot_eager")
    for lengths in ([2, 4], [4, 1, 3]):
        x, lengths = torch.randn(len(lengths), 4, 3), torch.tensor(lengths)
        if form == "lengths":
            close(compiled(x, lengths=lengths)[0], model(x, lengths=lengths)[0])
        else:
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            close(compiled(packed)[0].data, model(packed)[0].data)


@pytest.mark.parametrize("layer", LAYERS)
def test_exports_with_dynamic_sizes(layer):
    model = Classifier(layer)
    sizes = {0: torch.export.Dim("B", min=2), 1: torch.export.Dim("T", min=2)}
    exported = torch.export.export(model, (torch.randint(0, 50, (4, 7)),), dynamic_shapes=(sizes,)).module()
    ids = torch.randint(0, 50, (6, 11))
    close(exported(ids), model(ids), kind="classifier")


@pytest.mark.parametrize("layer", LAYERS)
def test_autocast_computes_in_float32(layer):
    model = layer(3, 5, batch_first=True)
    x = torch.randn(2, 4, 3)
    with torch.autocast("cpu", torch.bfloat16):
        output = model(x)[0]
        halved = model(x.bfloat16())[0]
    assert output.dtype == halved.dtype == torch.float32
    close(output, model(x)[0])
    close(halved, model(x.bfloat16().float())[0])
    halved.sum().backward()


@pytest.mark.parametrize("layer", LAYERS)
def test_gradients_of_each_sample_by_vmap(layer):
    model = layer(3, 5, batch_first=True, bidirectional=True)
    x = torch.randn(2, 4, 3)
    parameters = dict(model.named_parameters())

    def loss(values, row):
        return torch.func.functional_call(model, values, (row[None],))[0].square().sum()

    found = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, x)
    for i, row in enumerate(x):
        expected = torch.autograd.grad(model(row[None])[0].square().sum(), list(parameters.values()))
        for actual, wanted in zip(found.values(), expected, strict=True):
            close(actual[i], wanted)


@pytest.mark.parametrize("layer", LAYERS)
def test_copies_pickles_and_inference_on_tensors_of_any_stride(layer):
    model = layer(3, 5, num_layers=2)
    x = torch.randn(3, 2, 4).permute(2, 1, 0)
    expected = model(x.contiguous())[0]
    for twin in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        with torch.no_grad():
            close(twin(x)[0], expected.detach())
        close(twin(x)[0], expected)
