"""What lives in module hooks works on every layer, inside others and step by step, as on torch.nn's."""

import pytest
import torch
from torch.nn.modules.module import register_module_forward_hook
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm, weight_norm

import elman
from elman import nn
from tolerances import close

STEPS, BATCH = 7, 4
pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated in favor of:FutureWarning")


def ids():
    return torch.randint(1, 20, (BATCH, STEPS), generator=torch.Generator().manual_seed(2))


class Alone:
    """A layer, and what it is to return for the word vectors [T, B, I]."""

    def __init__(self, layer):
        torch.manual_seed(1)
        self.layer, self.embedding = layer, torch.nn.Embedding(20, 5)

    def call(self):
        return self.layer(self.embedding(ids().T))[0]

    def expected(self, theirs):
        return theirs(self.embedding(ids().T))[0]


class InStack(Alone):
    lengths = None

    def __init__(self, layer):
        super().__init__(layer)
        self.stack = nn.Stack(5, [6], "lstm")
        self.stack.layers[0] = layer

    def call(self):
        return self.stack(self.embedding(ids().T), lengths=self.lengths)[0]


class InRaggedStack(InStack):
    lengths = (STEPS,) * BATCH


class InStream(Alone):
    def __init__(self, layer):
        super().__init__(layer)
        self.stream = nn.Stateful(layer)

    def call(self):
        self.stream.reset()
        return self.stream(self.embedding(ids().T))[0]


class InText(Alone):
    def __init__(self, layer):
        super().__init__(layer)
        self.model = nn.TextRNN(20, 2, embedding_dim=5, hidden_size=6, bidirectional=False, dropout=0.0)
        self.model.recurrent, self.embedding = layer, self.model.embedding

    def call(self):
        return self.model(ids())

    def expected(self, theirs):
        return self.model.output(super().expected(theirs).mean(0))


class InBoth(InText):
    def __init__(self, layer):
        super().__init__(layer)
        self.both = nn.BothWays(20, 2, embedding_dim=5, hidden_size=6, bidirectional=False, dropout=0.0)
        self.model.backward, self.both.other = True, self.model

    def call(self):
        return self.both.opinions(ids())[1]

    def expected(self, theirs):
        return self.model.output(theirs(self.embedding(ids().T.flip(0)))[0].mean(0))


class InLanguage(Alone):
    def __init__(self, layer):
        super().__init__(layer)
        self.model = nn.LanguageModel(20, embedding_dim=5, hidden_size=6)
        self.model.directions[0].layer.layers[0], self.embedding = layer, self.model.embedding

    def call(self):
        self.model.reset()
        return self.model(ids().T)


class Accelerated(Alone):
    """A layer of torch.nn that was made ours after its hooks were set."""

    def __init__(self, layer):
        super().__init__(layer)
        self.model = torch.nn.Sequential(layer)

    def call(self):
        elman.restore(self.model)
        elman.accelerate(self.model)
        return super().call()


class ByStep(Alone):
    def call(self):
        return self.through(lambda x, state: self.layer.step(x, state))

    def expected(self, theirs):
        def step(x, state):
            output, state = theirs(x[None], state)
            return output[0], state

        return self.through(step)

    def through(self, step):
        state, outputs = None, []
        for x in self.embedding(ids().T):
            output, state = step(x, state)
            outputs.append(output)
        return torch.stack(outputs)


PLACES = {
    place.__name__: place
    for place in (Alone, InStack, InRaggedStack, InStream, InText, InBoth, InLanguage, Accelerated, ByStep)
}
DECORATIONS = {
    "prune": lambda layer: prune.l1_unstructured(layer, "weight_hh_l0", 0.5),
    "weight norm by hook": lambda layer: weight_norm(layer, "weight_hh_l0"),
    "spectral norm by hook": lambda layer: spectral_norm(layer, "weight_hh_l0"),
    "weight norm": lambda layer: parametrizations.weight_norm(layer, "weight_hh_l0"),
    "spectral norm": lambda layer: parametrizations.spectral_norm(layer, "weight_hh_l0"),
}


def pair(kind, decorate, place):
    """A layer of torch.nn and one of ours with its weights, both decorated."""
    torch.manual_seed(0)
    # torch.nn's layers read a parametrized weight several times a call, and at each the norm is estimated once more.
    theirs = getattr(nn if decorate is DECORATIONS["spectral norm"] else torch.nn, kind)(5, 6)
    ours = getattr(torch.nn if place is Accelerated else nn, kind)(5, 6)
    ours.load_state_dict(theirs.state_dict())
    for layer in (theirs, ours):
        torch.manual_seed(3)  # spectral norm begins with a random vector
        decorate(layer)
    return theirs, ours


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("decoration", DECORATIONS)
@pytest.mark.parametrize("place", PLACES)
def test_weights_that_hooks_compute(place, decoration, kind):
    theirs, ours = pair(kind, DECORATIONS[decoration], PLACES[place])
    where = PLACES[place](ours)
    optimizers = [torch.optim.SGD(layer.parameters(), 0.5) for layer in (theirs, ours)]
    outputs = []
    for _ in range(3):
        actual, expected = where.call(), where.expected(theirs)
        outputs.append(expected.detach())
        close(actual, expected)
        for output, optimizer in zip((expected, actual), optimizers, strict=True):
            optimizer.zero_grad()
            output.square().sum().backward()
            optimizer.step()
        for (name, parameter), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            assert parameter.grad is not None, name
            close(parameter.grad, other.grad)
    assert not torch.allclose(outputs[0], outputs[-1])


@pytest.mark.parametrize("decoration", ["prune", "weight norm by hook", "spectral norm by hook"])
@pytest.mark.parametrize("place", PLACES)
def test_weights_that_were_loaded_are_those_that_are_read(place, decoration):
    theirs, ours = pair("LSTM", DECORATIONS[decoration], PLACES[place])
    where = PLACES[place](ours)
    with torch.no_grad():
        before = where.call()
        theirs.load_state_dict({name: 0.3 * tensor for name, tensor in theirs.state_dict().items()})
        ours.load_state_dict(theirs.state_dict())
        for layer in (theirs, ours):
            layer.eval()
        after = where.call()
        close(after, where.expected(theirs))
    assert not torch.allclose(before, after)


@pytest.mark.parametrize("place", PLACES)
def test_every_kind_of_hook_is_called(place):
    _, ours = pair("LSTM", lambda layer: None, PLACES[place])
    where = PLACES[place](ours)
    seen = []
    ours.register_forward_pre_hook(lambda layer, args: seen.append(("before", args[0].shape[-1])))
    ours.register_forward_hook(lambda layer, args, output: seen.append(("after", output[0].shape[-1])))
    ours.register_full_backward_pre_hook(lambda layer, upstream: seen.append(("back", upstream[0].shape[-1])))
    ours.register_full_backward_hook(lambda layer, down, upstream: seen.append(("through", down[0].shape[-1])))
    where.call().sum().backward()
    times = STEPS if place == "ByStep" else 1
    for name, width in (("before", 5), ("after", 6), ("back", 6), ("through", 5)):
        assert seen.count((name, width)) == times, name
    assert len(seen) == 4 * times
    with torch.no_grad():
        where.call()
    assert len(seen) == 6 * times


@pytest.mark.parametrize("place", PLACES)
def test_hooks_of_all_modules_see_the_layer(place):
    _, ours = pair("GRU", lambda layer: None, PLACES[place])
    where, seen = PLACES[place](ours), []
    handle = register_module_forward_hook(lambda module, args, output: seen.append(module))
    try:
        with torch.no_grad():
            where.call()
    finally:
        handle.remove()
    assert seen.count(ours) == (STEPS if place == "ByStep" else 1)


@pytest.mark.parametrize("place", PLACES)
def test_what_a_hook_returns_counts(place):
    _, ours = pair("LSTM", lambda layer: None, PLACES[place])
    where = PLACES[place](ours)
    with torch.no_grad():
        before = where.call()
        ours.register_forward_hook(lambda layer, args, output: (torch.zeros_like(output[0]), output[1]))
        after = where.call()
    assert before.any() and not torch.equal(before, after)


def test_a_padded_stack_shows_hooks_padded_tensors():
    """As torch.nn would; ragged ones are elements, with the layout as third argument."""
    stack, seen = nn.Stack(5, [6, 3], "lstm"), []
    stack.layers[1].register_forward_hook(lambda layer, args, output: seen.append((args[0], args[2], output[0])))
    x = torch.randn(STEPS, BATCH, 5)
    output, _ = stack(x)
    stack(x, lengths=[7, 0, 3, 4])
    (padded, none, result), (elements, layout, _) = seen
    assert padded.shape == (STEPS, BATCH, 6) and none is None and torch.equal(result, output)
    assert elements.shape == (14, 6) and layout.batch == BATCH and int(layout.batch_sizes.sum()) == 14


@pytest.mark.parametrize("kind", ["peephole", "scrn", "dilated_gru", "layer_lstm"])
def test_cells_that_torch_does_not_have(kind):
    torch.manual_seed(0)
    stack, plain = nn.Stack(5, [8], kind), nn.Stack(5, [8], kind)
    plain.load_state_dict(stack.state_dict())
    prune.random_unstructured(stack.layers[0], "weight_hh_l0", 0.5)
    x = torch.randn(STEPS, BATCH, 5)
    for _ in range(2):
        stack.zero_grad()
        stack(x, lengths=[7, 0, 3, 4])[0].square().sum().backward()
        weight = stack.layers[0].weight_hh_l0_orig
        assert weight.grad.any() and not weight.grad[stack.layers[0].weight_hh_l0_mask == 0].any()
        with torch.no_grad():
            weight.sub_(weight.grad)
    plain.layers[0].weight_hh_l0.data.copy_(weight * stack.layers[0].weight_hh_l0_mask)
    close(stack(x)[0], plain(x)[0])


# --- a learned state --------------------------------------------------------------------------------------------------


class Doubled(torch.nn.Module):
    def forward(self, weight):
        return 2 * weight


def halve(layer):
    """Parametrized, with the values that were there."""
    for name in ("h_0", "c_0"):
        if hasattr(layer, name):
            getattr(layer, name).data.div_(2)
            parametrize.register_parametrization(layer, name, Doubled())


def mask(layer):
    """Pruned, with nothing cut off."""
    for name in ("h_0", "c_0"):
        if hasattr(layer, name):
            prune.identity(layer, name)


def starts():
    begin = torch.zeros(STEPS, BATCH, dtype=torch.bool)
    begin[3, 1] = begin[0, 2] = True
    return begin


def in_chunks(layer, x):
    stream = nn.Stateful(layer)
    return torch.cat([stream(x)[0], stream(x, starts())[0]])


WAYS = {
    "padded": lambda layer, x: layer(x)[0],
    "ragged": lambda layer, x: layer(x, lengths=[7, 0, 3, 4])[0],
    "no steps": lambda layer, x: layer(x, lengths=[0, 0, 0, 0])[1][0],
    "a step": lambda layer, x: layer.step(x[0])[0],
    "a stream": in_chunks,
}


@pytest.mark.parametrize("gradient", [True, False])
@pytest.mark.parametrize("change", [halve, mask])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cell", ["rnn", "lstm", "peephole", "scrn"])
def test_a_learned_state_may_be_computed(cell, way, change, gradient):
    torch.manual_seed(0)
    layer, plain = (nn.CELLS[cell](5, 8, learn_state=True) for _ in range(2))
    names = ["h_0", "c_0"][: 2 if hasattr(layer, "c_0") else 1]
    for name in names:
        torch.nn.init.normal_(getattr(layer, name))
    plain.load_state_dict(layer.state_dict())
    change(layer)
    x = torch.randn(STEPS, BATCH, 5)
    with torch.set_grad_enabled(gradient):
        for _ in range(2):
            actual, expected = WAYS[way](layer, x), WAYS[way](plain, x)
            close(actual, expected)
            if not gradient:
                continue
            layer.zero_grad()
            plain.zero_grad()
            for output in (actual, expected):
                output.square().sum().backward()
            gradients = {name: parameter.grad for name, parameter in layer.named_parameters()}
            for name in names:
                original = f"parametrizations.{name}.original" if change is halve else f"{name}_orig"
                if name == "h_0" or way != "no steps":
                    close(gradients[original], getattr(plain, name).grad * (2 if change is halve else 1))
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer(x)
        assert not any(getattr(layer, name).any() for name in names)


def test_new_start_values_of_a_computed_state():
    layer = nn.GRU(5, 6, learn_state=True)
    halve(layer)
    layer.parametrizations.h_0.original.data.fill_(1.0)
    layer.reset_parameters()
    assert not layer.h_0.any()


@pytest.mark.parametrize("cutoffs", [(), (8,)])
def test_hooks_of_a_softmax(cutoffs):
    torch.manual_seed(0)
    softmax, plain = (nn.Softmax(20, 6, cutoffs) for _ in range(2))
    plain.load_state_dict(softmax.state_dict())
    weight_norm(softmax, "weight")
    x, target = torch.randn(9, 6), torch.randint(20, (9,))
    for _ in range(2):
        loss = softmax.loss(x, target)
        close(loss, plain.loss(x, target))
        loss.backward()
        assert softmax.weight_g.grad.any()
        close(softmax.losses(x, target).sum(), loss.detach())
        with torch.no_grad():
            softmax.weight_g.mul_(0.5)
            plain.weight.mul_(0.5)
