"""accelerate() and restore(): other classes, the same layers; no number, name, hook or reference changes."""

import copy
import io
from functools import partial

import pytest
import torch
from torch.nn.utils import parametrizations, parametrize, prune
from torch.nn.utils import weight_norm as weight_norm_by_hook

from elman import accelerate, nn, restore
from foreign import Tagger, inputs
from tolerances import close

LAYERS = [
    ("RNN", {"nonlinearity": "relu", "bidirectional": True}),
    ("LSTM", {"num_layers": 2, "bidirectional": True, "batch_first": True}),
    ("LSTM", {"proj_size": 3, "bias": False}),
    ("GRU", {"num_layers": 2, "bias": False}),
]
THEIRS = (torch.nn.RNN, torch.nn.LSTM, torch.nn.GRU)
OURS = (nn.RNN, nn.LSTM, nn.GRU)


def gradients(model, x):
    loss = sum((out * torch.arange(out.numel(), dtype=out.dtype).view_as(out)).sum() for out in model(x))
    return torch.autograd.grad(loss, list(model.parameters()))


def all_close(actual, expected):
    for a, e in zip(actual, expected, strict=True):
        close(a, e)


def all_equal(actual, expected):
    return all(torch.equal(a, e) for a, e in zip(actual, expected, strict=True))


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN:UserWarning")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("form", ["padded", "packed", "unbatched"])
@pytest.mark.parametrize(("name", "options"), LAYERS, ids=str)
def test_outputs_and_gradients_are_as_before_and_after(name, options, form, dtype):
    model = Tagger(name, dtype, **options)
    x = inputs(form, dtype, options.get("batch_first", False))
    outputs, grads = model(x), gradients(model, x)
    assert len(accelerate(model).swapped) == 1
    assert type(model.recurrent) is getattr(nn, name)
    all_close(model(x), outputs)
    all_close(gradients(model, x), grads)
    assert len(restore(model).swapped) == 1
    assert type(model.recurrent) is getattr(torch.nn, name)
    assert all_equal(model(x), outputs)
    assert all_equal(gradients(model, x), grads)


def test_layers_at_any_depth():
    model = torch.nn.ModuleDict(
        {
            "list": torch.nn.ModuleList([torch.nn.RNN(2, 3), torch.nn.Sequential(torch.nn.GRU(2, 3))]),
            "tagger": Tagger(),
            "plain": torch.nn.Linear(2, 3),
        }
    )
    types = {name: type(module) for name, module in model.named_modules()}
    report = accelerate(model)
    assert [(row.names, row.kind, row.note) for row in report.rows] == [
        (("list.0",), "torch.nn.RNN", "now elman.nn.RNN"),
        (("list.1.0",), "torch.nn.GRU", "now elman.nn.GRU"),
        (("tagger.recurrent",), "torch.nn.LSTM", "now elman.nn.LSTM"),
    ]
    assert [type(m) for m in model.modules() if isinstance(m, torch.nn.RNNBase)] == [nn.RNN, nn.GRU, nn.LSTM]
    assert [row.note for row in restore(model).rows] == [f"now torch.nn.{name}" for name in ("RNN", "GRU", "LSTM")]
    assert {name: type(module) for name, module in model.named_modules()} == types


@pytest.mark.parametrize("cls", THEIRS)
def test_a_layer_alone(cls):
    layer = cls(2, 3)
    assert accelerate(layer).rows[0].names == ("",)
    assert type(layer) is getattr(nn, cls.__name__)
    restore(layer)
    assert type(layer) is cls


def test_a_shared_layer_is_swapped_once_and_stays_shared():
    model = torch.nn.Module()
    model.encoder = model.decoder = torch.nn.GRU(2, 3)
    model.hidden_in_a_list = [model.encoder]
    (row,) = accelerate(model).rows
    assert row.names == ("encoder", "decoder")
    assert type(model.encoder) is nn.GRU
    assert model.encoder is model.decoder is model.hidden_in_a_list[0]


def test_everything_about_a_layer_stays():
    layer = torch.nn.LSTM(5, 6, 2, dropout=0.25, bidirectional=True, proj_size=2).eval()
    layer.weight_ih_l1.requires_grad_(False)
    layer.register_buffer("steps", torch.tensor(3))
    layer.author = "somebody"
    before = dict(vars(layer))
    parameters = list(layer.named_parameters())
    text = repr(layer)
    accelerate(layer)
    assert repr(layer) == text
    assert vars(layer).items() >= before.items()
    assert all(a is b for (_, a), (_, b) in zip(layer.named_parameters(), parameters, strict=True))
    restore(layer)
    assert vars(layer).keys() == before.keys()
    assert all(vars(layer)[key] is before[key] for key in before)


def test_hooks_fire():
    model, seen = Tagger(), []
    layer = model.recurrent
    layer.register_forward_pre_hook(lambda *_: seen.append("before"))
    layer.register_forward_hook(lambda *_: seen.append("after"))
    layer.register_full_backward_hook(lambda *_: seen.append("backward"))
    layer.register_state_dict_post_hook(lambda *_: seen.append("state_dict"))
    layer.register_load_state_dict_post_hook(lambda *_: seen.append("load"))
    accelerate(model)
    model(inputs("padded").requires_grad_())[0].sum().backward()
    model.load_state_dict(model.state_dict())
    assert seen == ["before", "after", "backward", "state_dict", "load"]


def train(model, optimizer, steps, x):
    for _ in range(steps):
        optimizer.zero_grad()
        sum(out.square().sum() for out in model(x)).backward()
        optimizer.step()


@pytest.mark.parametrize("steps_before", [0, 1])
def test_an_optimizer_made_before_goes_on(steps_before):
    model = Tagger(num_layers=2, bidirectional=True)
    twin = copy.deepcopy(model)
    optimizer, twins = (torch.optim.Adam(m.parameters(), lr=0.1) for m in (model, twin))
    start = copy.deepcopy(model.state_dict())
    train(model, optimizer, steps_before, inputs("padded"))
    accelerate(model)
    train(model, optimizer, 3 - steps_before, inputs("padded"))
    train(twin, twins, 3, inputs("padded"))
    assert not any(torch.equal(a, b) for a, b in zip(start.values(), model.state_dict().values(), strict=True))
    all_close(model.parameters(), twin.parameters())


def test_tied_parameters_stay_tied():
    model = torch.nn.Sequential(torch.nn.RNN(3, 3), torch.nn.GRU(3, 3))
    model[0].weight_hh_l0 = model[0].weight_ih_l0
    model[1].weight_ih_l0 = model[1].weight_hh_l0
    twin = copy.deepcopy(model)
    accelerate(model)
    assert model[0].weight_hh_l0 is model[0].weight_ih_l0
    x = torch.randn(4, 2, 3)
    for m in (model, twin):
        m[1](m[0](x)[0])[0].sum().backward()
    assert len(list(model.parameters())) == 6
    all_close([p.grad for p in model.parameters()], [p.grad for p in twin.parameters()])


def test_checkpoints_move_in_every_state():
    model, other = Tagger(num_layers=2), Tagger(num_layers=2)
    torch.nn.init.ones_(other.recurrent.weight_hh_l1)
    saved, x = copy.deepcopy(other.state_dict()), inputs("padded")
    keys = list(model.state_dict())
    accelerate(model)
    assert list(model.state_dict()) == keys
    # assign=True puts new Parameters in place; torch's layer, once back, must read those and not the old ones.
    model.load_state_dict(saved, assign=True)
    all_close(model(x), other(x))
    restore(model)
    assert list(model.state_dict()) == keys
    assert all_equal(model(x), other(x))


@pytest.mark.parametrize("how", ["deepcopy", "torch.save"])
def test_copies_of_an_accelerated_model_are_whole(how):
    model, x = Tagger(), inputs("padded")
    expected = model(x)
    accelerate(model)
    if how == "deepcopy":
        clone = copy.deepcopy(model)
    else:
        file = io.BytesIO()
        torch.save(model, file)
        file.seek(0)
        clone = torch.load(file, weights_only=False)
    assert type(clone.recurrent) is nn.LSTM
    all_close(clone(x), expected)
    assert restore(clone).swapped
    assert type(model.recurrent) is nn.LSTM
    assert all_equal(clone(x), expected)


@pytest.mark.parametrize("wrap", [parametrizations.weight_norm, parametrizations.orthogonal])
def test_parametrized_weights(wrap):
    model, x = Tagger(), inputs("padded")
    wrap(model.recurrent, "weight_hh_l0")
    copied = copy.deepcopy(model)  # shares the class that torch made for the original
    twin = copy.deepcopy(model)
    keys = list(model.state_dict())
    (row,) = accelerate(model).rows
    assert row.kind == "torch.nn.LSTM"
    assert isinstance(model.recurrent, nn.LSTM)
    assert not isinstance(copied.recurrent, nn.LSTM)
    for m in (model, twin):
        train(m, torch.optim.SGD(m.parameters(), lr=0.01), 2, x)
    all_close(model.parameters(), twin.parameters())
    assert list(model.state_dict()) == keys
    assert accelerate(model).rows[0].note == "already ours"
    restore(model)
    assert isinstance(model.recurrent, torch.nn.LSTM)
    close(model(x), twin(x))
    parametrize.remove_parametrizations(model.recurrent, "weight_hh_l0")
    assert type(model.recurrent) is torch.nn.LSTM
    close(model(x), twin(x))


def test_weights_parametrized_while_accelerated():
    model, x = Tagger(), inputs("padded")
    accelerate(model)
    parametrizations.weight_norm(model.recurrent, "weight_hh_l0")
    expected = model(x)
    restore(model)
    assert parametrize.type_before_parametrizations(model.recurrent) is torch.nn.LSTM
    close(model(x), expected)


def prune_half(layer, name):
    prune.l1_unstructured(layer, name, 0.5)


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated:FutureWarning")
@pytest.mark.parametrize(("wrap", "raw"), [(prune_half, "_orig"), (weight_norm_by_hook, "_v")])
def test_weights_computed_by_a_hook(wrap, raw):
    model, x = Tagger(), inputs("padded")
    twin = Tagger()
    for m in (model, twin):
        wrap(m.recurrent, "weight_hh_l0")
    start = model(x)
    accelerate(model)
    assert "recurrent.weight_hh_l0" + raw in model.state_dict()
    for m in (model, twin):
        train(m, torch.optim.SGD(m.parameters(), lr=0.01), 2, x)
    all_close(model(x), twin(x))
    assert not torch.allclose(model(x)[0], start[0])
    restore(model)
    all_close(model(x), twin(x))


def test_functional_call_sees_the_weights_given():
    model, x = Tagger(), inputs("padded")
    weights = {name: p * 0.5 for name, p in model.named_parameters()}
    expected = torch.func.functional_call(model, weights, (x,))
    accelerate(model)
    all_close(torch.func.functional_call(model, weights, (x,)), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision(dtype):
    model, x = Tagger(dtype=dtype), inputs("packed", dtype)
    expected = model(x)
    assert accelerate(model).swapped
    all_close(model(x), expected)


def test_meta_layers_are_filled_afterwards():
    model = Tagger().to("meta")
    assert accelerate(model).swapped
    model.to_empty(device="cpu").load_state_dict(Tagger().state_dict())
    all_close(model(inputs("padded")), Tagger()(inputs("padded")))


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
@pytest.mark.parametrize(
    "wrap", [partial(torch.compile, backend="eager"), torch.fx.symbolic_trace], ids=["compile", "fx"]
)
def test_compiled_and_traced_models_run_the_new_layer(wrap, monkeypatch):
    model, x = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.LSTM(5, 6)), inputs("padded", torch.float32)
    wrapped, calls, forward = wrap(model), [], nn.LSTM.forward
    expected = wrapped(x)

    def spy(self, *args):
        calls.append(type(self))
        return forward(self, *args)

    monkeypatch.setattr(nn.LSTM, "forward", spy)
    assert len(accelerate(wrapped).swapped) == 1
    close(wrapped(x)[0], expected[0])
    assert calls == [nn.LSTM]
