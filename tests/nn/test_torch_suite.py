"""What torch's own tests of RNN, GRU and LSTM give them, valid and not, from the copy in torch.testing."""

import inspect
import re
import subprocess
import sys

import pytest
import torch

from elman import nn
from elman.errors import ArgumentTypeError, ElmanError, UsageError

SCRIPT = """
import re, sys, types, unittest
stub = types.ModuleType("expecttest")  # torch's tests derive from its class; their inputs do not use it
stub.TestCase = unittest.TestCase
sys.modules.setdefault("expecttest", stub)
import torch
from torch.testing._internal.common_modules import ModuleErrorEnum, module_db
from torch.utils._pytree import tree_leaves
from elman import nn
from elman.errors import ElmanError

def parts(function_input):
    return function_input.args, function_input.kwargs

def check_valid(theirs, ours, example):
    arguments, options = parts(example.constructor_input)
    expected, actual = theirs(*arguments, **options), ours(*arguments, **options)
    actual.load_state_dict(expected.state_dict())
    arguments, options = parts(example.forward_input)
    found = [tree_leaves(layer(*arguments, **options)) for layer in (actual, expected)]
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-5)

def check_refused(ours, example):
    mistake = example.module_error_input
    try:
        arguments, options = parts(mistake.constructor_input)
        layer = ours(*arguments, **options)
        if example.error_on == ModuleErrorEnum.FORWARD_ERROR:
            arguments, options = parts(mistake.forward_input)
            layer(*arguments, **options)
    except ElmanError as error:
        assert isinstance(error, example.error_type), error
        assert re.search(example.error_regex, str(error)), (example.error_regex, str(error))
    else:
        raise AssertionError(f"accepted: {example.error_regex}")

checked = 0
for info in module_db:
    theirs = info.module_cls
    if theirs not in (torch.nn.RNN, torch.nn.GRU, torch.nn.LSTM):
        continue
    for training in (True, False):
        options = dict(device="cpu", dtype=torch.float32, requires_grad=True, training=training)
        ours = getattr(nn, theirs.__name__)
        for example in info.module_inputs_func(info, **options):
            check_valid(theirs, ours, example)
            checked += 1
        for example in info.module_error_inputs_func(info, **options):
            with torch.set_grad_enabled(training):
                check_refused(ours, example)
            checked += 1
print(checked)
"""


def test_their_inputs_and_their_errors():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.split()[-1]) > 100


@pytest.mark.parametrize("name", [name for name in nn.CELLS if "proj_size" not in nn.CELLS[name].own_options])
def test_a_projection_is_an_lstms(name):
    with pytest.raises(ValueError, match="proj_size argument is only supported for LSTM, not RNN or GRU"):
        nn.CELLS[name](30, 10, 2, proj_size=10)


@pytest.mark.parametrize("name", nn.CELLS)
def test_every_layer_names_what_it_cannot_be_made_of(name):
    layer = nn.CELLS[name]
    for arguments, message in [
        ({"hidden_size": 5.0}, "hidden_size should be of type int, got: float 5.0"),
        ({"input_size": "10"}, "input_size should be of type int, got: str '10'"),
        ({"bias": 1}, "bias should be of type bool, got: int 1"),
        ({"batch_first": "False"}, "batch_first should be of type bool, got: str 'False'"),
    ]:
        with pytest.raises(ArgumentTypeError, match=message):
            layer(**{"input_size": 3, "hidden_size": 8} | arguments)
    with pytest.raises(UsageError, match="hidden_size must be greater than zero, got 0"):
        layer(3, 0)


@pytest.mark.parametrize(
    ("proj_size", "message"), [(-1, "positive integer or zero"), (4, "smaller than hidden_size"), (1.5, "type int")]
)
def test_a_projection_that_is_none(proj_size, message):
    with pytest.raises(UsageError, match=message):
        nn.LSTM(3, 4, proj_size=proj_size)


@pytest.mark.parametrize("gradients", [True, False])
@pytest.mark.parametrize("name", nn.CELLS)
def test_another_type_of_input(name, gradients):
    wanted = re.escape("RNN input dtype (torch.float64) does not match weight dtype (torch.float32). Convert input: ")
    with torch.set_grad_enabled(gradients), pytest.raises(ElmanError, match=wanted):
        nn.CELLS[name](3, 8)(torch.zeros(5, 2, 3, dtype=torch.float64))


@pytest.mark.parametrize("name", nn.CELLS)
def test_layers_without_start_values(name):
    layer = torch.nn.utils.skip_init(nn.CELLS[name], 3, 8, num_layers=2, bidirectional=True)
    layer.reset_parameters()
    assert layer(torch.randn(5, 2, 3))[0].isfinite().all()


def test_signatures_are_whole():
    assert list(inspect.signature(nn.LeakyRNN).parameters)[:4] == ["input_size", "hidden_size", "num_layers", "bias"]
    assert {"dilation", "nonlinearity", "device"} <= set(inspect.signature(nn.DilatedRNN).parameters)

    class Own(nn.LSTM):
        def __init__(self, size):
            super().__init__(size, size)

    assert list(inspect.signature(Own).parameters) == ["size"]
