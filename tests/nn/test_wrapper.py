"""Modules around the layers inside others: outputs, gradients and states of what is wrapped, or a named error."""

import copy
import warnings

import pytest
import torch
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import (
    CheckpointImpl,
    apply_activation_checkpointing,
    checkpoint_wrapper,
)
from torch.utils.checkpoint import checkpoint

from elman import nn
from elman.errors import ShapeError, UsageError
from tolerances import close

LENGTHS = [7, 0, 3, 4]
CELLS = ["lstm", "gru", "clockwork", "scrn", "dilated_lstm"]


class Around(torch.nn.Module):
    """Any module that calls a layer."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, *args, **kwargs):
        return self.inner(*args, **kwargs)


class OfInput(Around):
    def forward(self, input, hx=None):
        return self.inner(input, hx)


def compiled(layer):
    torch.compiler.reset()
    return torch.compile(layer, backend="eager")


def checkpointed(layer):
    return checkpoint_wrapper(layer, CheckpointImpl.NO_REENTRANT)


def reentrant(layer):
    return checkpoint_wrapper(layer, CheckpointImpl.REENTRANT)


WRAPPERS = {
    "module": Around,
    "checkpoint": checkpointed,
    "reentrant": reentrant,
    "several": lambda layer: Around(checkpointed(Around(layer))),
    "data parallel": torch.nn.DataParallel,
}


def inputs():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(7, 4, 5, generator=generator, requires_grad=True)


def ids():
    return torch.randint(1, 20, (4, 7), generator=torch.Generator().manual_seed(2))


def starts():
    begin = torch.zeros(7, 4, dtype=torch.bool)
    begin[3, 1] = begin[0, 2] = True
    return begin


def wrap_all(layers, wrap):
    for number, layer in enumerate(layers):
        layers[number] = wrap(layer)


class OfStack:
    def make(self, cell):
        return nn.Stack(5, [6, 6], cell, learn_state=True)

    def loss(self, stack):
        padded, states = stack(inputs())
        goes_on, _ = stack(inputs(), [tuple(part.detach() for part in state) for state in states])
        return padded.sum() + goes_on.square().sum() + stack(inputs(), lengths=LENGTHS)[0].square().sum()

    def wrap(self, stack, wrap):
        wrap_all(stack.layers, wrap)


class OfText:
    def __init__(self, **options):
        self.options = options

    def make(self, cell):
        return nn.TextRNN(20, 2, embedding_dim=5, hidden_size=6, cell=cell, dropout=0.0, **self.options)

    def loss(self, model):
        return model(ids(), torch.tensor(LENGTHS)).square().sum()

    def wrap(self, model, wrap):
        if isinstance(model.recurrent, nn.Stack):
            wrap_all(model.recurrent.layers, wrap)
        model.recurrent = wrap(model.recurrent)


class OfBoth(OfText):
    def make(self, cell):
        return nn.BothWays(20, 2, embedding_dim=5, hidden_size=6, cell=cell, dropout=0.0, bidirectional=False)

    def wrap(self, model, wrap):
        super().wrap(model, wrap)
        super().wrap(model.other, wrap)
        if wrap is not reentrant:  # which needs an input that has a gradient
            model.other = wrap(model.other)


class OfStream:
    def make(self, cell):
        return nn.Stateful(nn.CELLS[cell](5, 6, 2, learn_state=True), overlap=2)

    def loss(self, stream):
        return sum(stream(inputs(), begin)[0].square().sum() for begin in (None, starts(), None))

    def wrap(self, stream, wrap):
        stream.layer = wrap(stream.layer)


class OfLanguage:
    def make(self, cell):
        return nn.LanguageModel(20, embedding_dim=5, hidden_size=6, num_layers=2, cell=cell, learn_state=True)

    def loss(self, model):
        return sum(model(ids().T, begin).square().sum() for begin in (None, starts(), None))

    def wrap(self, model, wrap):
        (reader,) = model.directions
        wrap_all(reader.layer.layers, wrap)
        reader.layer = wrap(reader.layer)
        if wrap is Around:
            model.readers[0] = wrap(reader)


HOLDERS = {
    "stack": OfStack(),
    "text": OfText(),
    "text of a stack": OfText(hidden_sizes=(6, 6)),
    "text by chunks": OfText(bidirectional=False, bptt=3),
    "text's last state": OfText(pooling="last"),
    "both ways": OfBoth(),
    "stream": OfStream(),
    "language model": OfLanguage(),
}


def nudge(model):
    """A learned state that is not zero."""
    for name, parameter in model.named_parameters():
        if name.endswith(("h_0", "c_0")):
            torch.nn.init.normal_(parameter, std=0.3)


def check_equal(holder, cell, wrap):
    torch.manual_seed(0)
    model = holder.make(cell)
    nudge(model)
    twin = copy.deepcopy(model)
    expected = holder.loss(twin)
    expected.backward()
    parameters = dict(model.named_parameters())
    holder.wrap(model, wrap)
    loss = holder.loss(model)
    loss.backward()
    close(loss, expected)
    for name, parameter in twin.named_parameters():
        if name.startswith("softmax"):
            continue  # no part of the loss
        assert parameter.grad is not None and parameter.grad.any(), name
        close(parameters[name].grad, parameter.grad)


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")  # of one reentrant checkpoint in another
@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("wrap", WRAPPERS)
def test_a_wrapped_layer_is_the_layer(holder, wrap):
    if (holder, wrap) != ("text's last state", "reentrant"):
        check_equal(HOLDERS[holder], "lstm", WRAPPERS[wrap])


@pytest.mark.parametrize("holder", ["stack", "text by chunks", "stream"])
@pytest.mark.parametrize("cell", CELLS[1:])
def test_every_kind_of_cell_can_be_checkpointed(cell, holder):
    check_equal(HOLDERS[holder], cell, checkpointed)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("holder", ["stack", "stream"])
def test_one_compiled_layer(holder):
    check_equal(HOLDERS[holder], "lstm", compiled)


def test_pytorchs_own_walk_over_the_layers():
    class Whole:
        make, loss = OfLanguage().make, OfLanguage().loss

        def wrap(self, model, wrap):
            apply_activation_checkpointing(model, wrap, check_fn=lambda part: isinstance(part, nn.Recurrent))
            assert type(model.directions[0].layer.layers[0]) is not nn.LSTM

    check_equal(Whole(), "lstm", checkpointed)


def test_a_state_without_gradient_is_no_gradient_of_zero():
    """Reentrant checkpointing leaves none to an LSTM's states, which are in a tuple."""
    holder = OfText(pooling="last")
    model = holder.make("lstm")
    holder.wrap(model, reentrant)
    with pytest.raises(UsageError, match=r"final state no gradient.*use_reentrant=False"):
        holder.loss(model).backward()
    stack = nn.Stack(5, [6, 6], "lstm")
    wrap_all(stack.layers, reentrant)
    output, states = stack(inputs())
    output.sum().backward()
    with pytest.raises(UsageError, match="final state no gradient"):
        states[0][1].sum().backward()


def test_a_list_of_wrapped_layers():
    torch.manual_seed(0)
    stack = nn.Stack(5, [6, 6], "gru")
    expected = stack(inputs())[0]
    stack.layers = torch.nn.ModuleList(map(Around, stack.layers))
    close(stack(inputs())[0], expected)
    stack.layers.insert(1, Around(nn.GRU(6, 6)))
    assert not torch.equal(stack(inputs())[0], expected)
    with pytest.raises(UsageError, match=r"a layer of elman.nn or a module around one, got .*Linear around none"):
        stack.layers.append(torch.nn.Linear(6, 6))


def test_layers_of_are_the_layers_themselves():
    model = OfText(hidden_sizes=(6, 6)).make("lstm")
    layers = model.recurrent_layers
    OfText().wrap(model, checkpointed)
    assert all(map(lambda a, b: a is b, model.recurrent_layers, layers)) and len(layers) == 2
    assert model.recurrent_layers[0].output_size == 12


def test_a_batch_first_layer_in_a_stack_is_what_it_was():
    torch.manual_seed(0)
    stack = nn.Stack(5, [6, 6], "gru")
    expected = stack(inputs())[0]
    stack.layers[1].batch_first = True
    close(stack(inputs())[0], expected)


NO_LAYERS = {
    "none": (torch.nn.Identity, "around none"),
    "torch's": (lambda layer: torch.nn.LSTM(5, 6), "got torch.nn.LSTM: accelerate it first"),
    "two": (lambda layer: torch.nn.ModuleList([nn.LSTM(5, 6), nn.LSTM(5, 6)]), "around 2"),
    "a stack": (lambda layer: Around(nn.TextRNN(9, 2)), "around none"),
    "a call of other arguments": (OfInput, r"\(.*hx.*\) and passes them on, but the forward of OfInput"),
}


@pytest.mark.parametrize("case", NO_LAYERS)
def test_what_is_no_layer_is_refused_where_it_is_set(case):
    make, message = NO_LAYERS[case]
    make = (lambda layer: torch.nn.Identity()) if case == "none" else make
    stack, stream, text = nn.Stack(5, [6, 6], "lstm"), nn.Stateful(nn.LSTM(5, 6)), nn.TextRNN(9, 2)
    expected = stack(inputs())[0]
    for change in (
        lambda: stack.layers.__setitem__(0, make(stack.layers[0])),
        lambda: setattr(stack.layers, "1", make(stack.layers[1])),
        lambda: stack.layers.add_module("1", make(stack.layers[1])),
        lambda: setattr(stream, "layer", make(stream.layer)),
        lambda: setattr(text, "recurrent", make(text.recurrent)),
        lambda: nn.Stateful(make(nn.LSTM(5, 6))),
    ):
        with pytest.raises(UsageError, match=message):
            change()
    assert torch.equal(stack(inputs())[0], expected)


def test_other_parts_are_refused_too():
    language, both = nn.LanguageModel(20), nn.BothWays(20, 2, bidirectional=False)
    with pytest.raises(UsageError, match=r"elman.nn.Stateful or a module around one, got .*LSTM around none"):
        language.readers[0] = nn.LSTM(200, 200)
    with pytest.raises(UsageError, match="TextRNN"):
        both.other = torch.nn.Linear(3, 2)
    with pytest.raises(UsageError, match="bidirectional"):
        nn.Stateful(nn.LSTM(5, 6)).layer = Around(nn.LSTM(5, 3, bidirectional=True))
    with pytest.raises(UsageError, match="a ModuleList of layers"):
        nn.Stack(5, [6]).layers = nn.LSTM(5, 6)
    parallel = torch.nn.DataParallel(nn.LSTM(5, 6))
    parallel.device_ids = [0, 1]
    with pytest.raises(UsageError, match="DataParallel cuts the first dimension"):
        nn.Stateful(parallel)


# --- the ragged call --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["lstm", "gru", "clockwork", "dilated_rnn"])
def test_a_ragged_layout_is_the_packed_sequence(cell):
    torch.manual_seed(0)
    layer = nn.CELLS[cell](5, 6, bidirectional=True, learn_state=True)
    nudge(layer)
    lengths = torch.tensor([7, 4, 3, 0])
    output, final = layer(inputs(), lengths=lengths)
    packed = torch.nn.utils.rnn.pack_padded_sequence(inputs()[:, :3], lengths[:3])
    elements, state = layer(packed.data, None, nn.RaggedLayout(packed.batch_sizes, 4))
    assert type(state) is type(final)
    mask = torch.arange(7)[:, None] < lengths
    close(elements, output[mask])
    for a, e in zip(*(part if isinstance(part, tuple) else (part,) for part in (state, final)), strict=True):
        close(a, e)
    fresh = nn.RaggedLayout(packed.batch_sizes, 4, torch.tensor([True, False, True, False]))
    again, _ = layer(packed.data, final, fresh)
    goes_on, _ = layer(packed.data, final, nn.RaggedLayout(packed.batch_sizes, 4))
    rows = torch.arange(4).expand(7, 4)[mask]
    begins = (rows == 0) | (rows == 2)
    close(again[begins], elements[begins])
    close(again[~begins], goes_on[~begins])
    assert not torch.allclose(elements[~begins], goes_on[~begins])


def test_a_layout_goes_with_elements():
    layout = nn.RaggedLayout(torch.tensor([2, 1]), 2)
    elements = inputs()[:3, 0]
    for x, wrong, message in [
        (inputs(), layout, "elements of 2D with a RaggedLayout, got 3D"),
        (elements, layout._replace(batch_sizes=torch.tensor([1, 2])), "never rise"),
        (elements, layout._replace(batch=1), "at most 1 rows"),
        (elements, layout._replace(starts=torch.tensor([True])), r"starts of size \(2,\), one per row, got \(1,\)"),
        (elements, layout._replace(clock=torch.zeros(3)), r"clock of size \(2,\), one per row, got \(3,\)"),
    ]:
        for layer in (nn.LSTM(5, 6), nn.Stack(5, [6])):
            with pytest.raises(ShapeError, match=message):
                layer(x, None, wrong)


# --- a stream is read once --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("again", [True, False], ids=["reentrant", "not"])
@pytest.mark.parametrize("holder", ["stream", "language model"])
def test_a_stream_is_not_read_again_in_the_backward_pass(holder, again):
    holder = HOLDERS[holder]
    torch.manual_seed(0)
    model = holder.make("lstm")
    call = (lambda x: model(x)[0]) if isinstance(model, nn.Stateful) else model
    x = inputs() if isinstance(model, nn.Stateful) else ids().T
    anchor = torch.zeros((), requires_grad=True)  # without which reentrant checkpointing takes no gradient

    def chunk(anchor):
        return call(x) + anchor

    loss = sum(checkpoint(chunk, anchor, use_reentrant=again).square().sum() for _ in range(2))
    with pytest.raises(UsageError, match="around the layer inside Stateful"):
        loss.backward()


def test_a_checkpointed_stream_is_refused_and_its_layer_is_not():
    stream = nn.Stateful(nn.LSTM(5, 6))
    with pytest.raises(UsageError, match="around the layer inside Stateful"):
        checkpointed(stream)(inputs())[0].sum().backward()
    stream.layer = checkpointed(stream.layer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stream(inputs())[0].sum().backward()
