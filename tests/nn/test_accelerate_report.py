"""What accelerate() leaves alone and why, what restore() brings back, and how both tell of it."""

import subprocess
import sys

import pytest
import torch

import elman
from elman import accelerate, nn, restore
from elman.errors import NotAModuleError
from foreign import Tagger, inputs


class PlainSubclass(torch.nn.LSTM):
    pass


class CellSubclass(torch.nn.GRUCell):
    pass


class OnAGpu(torch.Tensor):
    """Says that it is on a GPU, where there is none."""

    @staticmethod
    def __new__(cls, like):
        return torch.Tensor._make_wrapper_subclass(cls, like.shape, dtype=like.dtype, device="cuda")

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return cls(args[0])


def wrapped_by_hand():
    layer = torch.nn.GRU(4, 5)
    layer.forward = layer.forward
    return layer


def on_a_gpu():
    layer = torch.nn.GRU(4, 5)
    layer._parameters["weight_hh_l0"] = torch.nn.Parameter(OnAGpu(layer.weight_hh_l0))
    return layer


def with_an_attribute(name, value):
    layer = torch.nn.GRU(4, 5)
    setattr(layer, name, value)
    return layer


def quantized():
    return torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(torch.nn.LSTM(4, 5)), {torch.nn.LSTM})[0]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(
    ("make", "kind", "note"),
    [
        (lambda: torch.nn.LSTMCell(4, 5), "torch.nn.LSTMCell", "a cell of one step, not a layer"),
        (lambda: CellSubclass(4, 5), "CellSubclass", "a cell of one step, not a layer"),
        (lambda: PlainSubclass(4, 5), "PlainSubclass", "a subclass, which may compute something else"),
        (lambda: torch.jit.script(torch.nn.GRU(4, 5)), "torch.jit.RecursiveScriptModule", "compiled by torch.jit"),
        (quantized, "torch.ao.nn.quantized.dynamic.LSTM", "another class of that name"),
        (wrapped_by_hand, "torch.nn.GRU", "its forward was replaced on the instance"),
        (on_a_gpu, "torch.nn.GRU", "on cuda; our kernels are for the CPU"),
        (
            lambda: with_an_attribute("h_0", torch.nn.Parameter(torch.ones(1, 5))),
            "torch.nn.GRU",
            "it has an attribute 'h_0', which means something else in ours",
        ),
        (
            lambda: with_an_attribute("zoneout", 0.3),
            "torch.nn.GRU",
            "it has an attribute 'zoneout', which means something else in ours",
        ),
        (lambda: nn.LSTM(4, 5), "elman.nn.LSTM", "already ours"),
    ],
    ids=[
        "cell",
        "subclass-of-cell",
        "subclass",
        "script",
        "quantized",
        "by-hand",
        "gpu",
        "parameter",
        "attribute",
        "ours",
    ],
)
def test_what_stays_is_reported_with_the_reason(make, kind, note):
    layer = make()
    cls = type(layer)
    (row,) = accelerate(torch.nn.Sequential(layer)).rows
    assert (row.names, row.swapped, row.note) == (("0",), False, note)
    assert row.kind.endswith(kind)
    (row,) = restore(torch.nn.Sequential(layer)).rows
    assert (row.swapped, row.note) == (False, "not accelerated")
    assert type(layer) is cls


def test_twice_is_once():
    model = Tagger()
    accelerate(model)
    (row,) = accelerate(model).rows
    assert (row.swapped, row.note) == (False, "already ours")
    assert restore(model).swapped
    assert not restore(model).swapped
    assert accelerate(model).swapped


def test_restore_leaves_what_was_built_with_elman():
    model = torch.nn.ModuleList([Tagger(), nn.TextRNN(9, 2, word_dropout=0.0, dropout=0.0)])
    ids = torch.tensor([[1, 5, 2]])
    expected = model[1](ids)
    accelerate(model)
    assert [row.note for row in restore(model).rows] == ["now torch.nn.LSTM", "not accelerated"]
    assert torch.equal(model[1](ids), expected)


def test_restore_brings_the_weights_together_for_cudnn(monkeypatch):
    model, flattened = Tagger(), []
    monkeypatch.setattr(torch.nn.LSTM, "flatten_parameters", lambda layer: flattened.append(layer))
    accelerate(model)
    assert not flattened
    restore(model)
    assert flattened == [model.recurrent]


def test_a_forward_replaced_after_the_swap_keeps_the_class():
    model = Tagger()
    accelerate(model)
    model.recurrent.forward = model.recurrent.forward
    assert restore(model).rows[0].note == "its forward was replaced on the instance"
    assert model(inputs("padded"))
    del model.recurrent.forward
    assert restore(model).swapped


def test_the_report_is_a_table():
    model = torch.nn.Module()
    model.encoder = model.tied = torch.nn.LSTM(8, 16, 2)
    model.step = torch.nn.GRUCell(8, 16)
    assert str(accelerate(model)).splitlines() == [
        "layer           class             sizes                outcome",
        "encoder = tied  torch.nn.LSTM     8, 16, num_layers=2  now elman.nn.LSTM",
        "step            torch.nn.GRUCell  8, 16                stays: a cell of one step, not a layer",
        "1 of 2 recurrent layers swapped",
    ]
    assert "(model)" in str(accelerate(torch.nn.GRU(1, 1)))
    assert str(accelerate(torch.nn.Linear(1, 1))) == "0 of 0 recurrent layers swapped"


@pytest.mark.parametrize("function", [accelerate, restore])
@pytest.mark.parametrize(
    ("given", "message"), [({}, "a dict"), (Tagger, "the class Tagger"), (None, "a NoneType")], ids=str
)
def test_what_is_not_a_module(function, given, message):
    with pytest.raises(NotAModuleError, match=f"expected a torch.nn.Module, got {message}"):
        function(given)
    assert issubclass(NotAModuleError, TypeError)


def test_the_names_are_public_and_cost_nothing_until_used():
    assert elman.accelerate is nn.accelerate
    code = "import sys, elman; assert 'torch' not in sys.modules; elman.restore; assert 'sklearn' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
