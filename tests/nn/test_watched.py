"""Who else takes part in a call: traces, gradients in forward mode, compilers, other devices; as torch.nn's layers."""

import warnings

import pytest
import torch
from torch.autograd import forward_ad

import elman
from elman import nn
from elman.errors import ShapeError
from tolerances import close

X = torch.linspace(-1, 1, 7 * 4 * 5).view(7, 4, 5)
LENGTHS = torch.tensor([7, 3, 0, 2])


class WithLengths(torch.nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, lengths):
        return self.layer(x, lengths=lengths)[0]


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("name", ["GRU", "LSTM", "MinGRU", "PeepholeLSTM"])
def test_a_trace_holds_the_layer_and_not_its_numbers(name, gradients):
    layer = getattr(nn, name)(5, 6, bidirectional=True).eval()
    other = torch.randn(9, 3, 5)
    with torch.set_grad_enabled(gradients):
        traced = torch.jit.trace(layer, (X,))
        close(traced(other)[0], layer(other)[0])
        if gradients:
            pairs = [torch.autograd.grad(each(other)[0].sum(), list(layer.parameters())) for each in (traced, layer)]
            for found, expected in zip(*pairs, strict=True):
                close(found, expected)
        ragged = torch.jit.trace(WithLengths(layer), (X, LENGTHS))
        close(ragged(2 * X, LENGTHS), layer(2 * X, lengths=LENGTHS)[0])


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch's own formulas
@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("name", ["GRU", "RNN"])
def test_gradients_in_forward_mode(name, trained, lengths):
    layer, theirs = getattr(nn, name)(5, 6).double(), getattr(torch.nn, name)(5, 6).double()
    theirs.load_state_dict(layer.state_dict())
    direction = torch.randn_like(X.double())
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(X.double(), direction)
        found = forward_ad.unpack_dual(layer.requires_grad_(trained)(dual, lengths=lengths)[0]).tangent
        rows = [dual[: n or 1, [row]] for row, n in enumerate([7] * 4 if lengths is None else lengths.tolist())]
        expected = [forward_ad.unpack_dual(theirs(row)[0]).tangent for row in rows]
    for row, tangent in enumerate(expected):
        n = 7 if lengths is None else int(lengths[row])
        close(found[:n, row], tangent[:n, 0])


def test_under_another_default_device():
    layer = nn.GRU(5, 6)
    padded, single = layer(X)[0], layer(X, lengths=LENGTHS)[0]
    with torch.device("meta"):
        assert torch.equal(layer(X)[0], padded)
        assert torch.equal(layer(X, lengths=LENGTHS)[0], single)
        close(layer(X[:, 0])[0], padded[:, 0])


@pytest.mark.parametrize("gradients", [False, True])
def test_tensors_of_several_devices(gradients):
    with torch.device("meta"):
        layer = torch.nn.LSTM(5, 6)
    elman.accelerate(layer)
    with torch.set_grad_enabled(gradients), pytest.raises(ShapeError, match=r"(on|at) meta"):
        layer(X)
    with torch.set_grad_enabled(gradients), pytest.raises(ShapeError, match="meta"):
        nn.GRU(5, 6)(X.to("meta"))
    with pytest.raises(ShapeError, match=r"(on|at) meta"):
        nn.GRU(5, 6)(X, torch.zeros(1, 4, 6, device="meta"))


@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float64, torch.int64])
def test_input_of_another_type_than_the_weights(dtype, gradients):
    with torch.set_grad_enabled(gradients), pytest.raises(ShapeError, match=str(dtype)):
        nn.LSTM(5, 6)(X.to(dtype))


def test_a_tensor_without_memory_is_named():
    from torch.testing._internal.two_tensor import TwoTensor

    layer = nn.LSTM(5, 6)
    weight = layer.weight_hh_l0.detach()
    layer.weight_hh_l0 = torch.nn.Parameter(TwoTensor(weight, weight.clone()))
    with torch.no_grad(), pytest.raises(ShapeError, match="TwoTensor"):
        layer(X)


@pytest.mark.parametrize(
    "layer",
    [nn.GRU(5, 6, dtype=torch.bfloat16), nn.LSTM(5, 6, proj_size=3), nn.LSTM(5, 6), nn.LSTM(5, 6, zoneout=0.3).eval()],
    ids=str,
)
def test_every_type_compiles_exports_and_maps(layer):
    x = X.to(layer.weight_ih_l0.dtype)
    expected = layer(x)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.export.export(layer, (x,)).module()(x)[0]
        compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")(x)[0]
    close(exported, expected)
    close(compiled, expected)
    close(torch.func.vmap(lambda row: layer(row)[0])(torch.stack([x, x]))[1], expected)


@pytest.mark.parametrize("lengths", [None, torch.tensor([7, 1, 0, 3])], ids=["whole", "lengths"])
def test_an_exported_layer_with_zoneout_takes_other_sizes(lengths):
    layer, dynamic = nn.LSTM(5, 6, zoneout=0.3).eval(), torch.export.Dim.DYNAMIC
    given = (X,) if lengths is None else (X, None, lengths)
    shapes = ({0: dynamic, 1: dynamic}, *((None, {0: dynamic}) if lengths is not None else ()))
    exported = torch.export.export(layer, given, dynamic_shapes=shapes).module()
    other = (torch.randn(9, 3, 5), *((None, torch.tensor([0, 9, 2])) if lengths is not None else ()))
    close(exported(*other)[0], layer(*other)[0])


def test_input_dropout_of_unequal_lengths_compiles():
    layer = nn.LSTM(5, 6, input_dropout=0.3)
    compiled = torch.compile(layer, fullgraph=True, backend="eager")
    assert compiled(X, lengths=torch.tensor([7, 1, 0, 3]))[0].isfinite().all()


@pytest.mark.parametrize(
    "layer",
    [nn.LSTM(5, 6, proj_size=3), nn.LSTM(5, 6, proj_size=3, zoneout=0.1), nn.MinGRU(5, 6, dtype=torch.bfloat16)],
    ids=str,
)
def test_no_elements_are_known_to_autograd(layer):
    for lengths, x in ((None, torch.zeros(7, 0, 5)), ([0] * 4, X)):
        layer.zero_grad()
        layer(x.to(layer.weight_ih_l0.dtype), lengths=lengths)[0].sum().backward()
        assert not layer.weight_ih_l0.grad.any()


def test_what_models_call_of_torchs_lstm():
    layer, states = nn.LSTM(5, 6), (torch.randn(1, 4, 6), torch.randn(1, 4, 6))
    layer.check_forward_args(X, states, None)
    with pytest.raises(RuntimeError, match=r"hidden\[0\]"):
        layer.check_forward_args(X, (states[0][:, :2], states[1]), None)
    assert layer.get_expected_cell_size(X, None) == (1, 4, 6)
    assert torch.equal(layer.permute_hidden(states, torch.tensor([3, 2, 1, 0]))[1], states[1].flip(1))
