"""Layers of random cell, size, form and tier against torch.nn, or where torch has none against plain loops."""

import json
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from elman.nn import CELLS
from elman.ops import kernels
from loops import by_hand
from tolerances import close

from .case import Case, stored

_SIZES = [1, 2, 3, 7, 8, 9, 15, 16, 17, 33]
_TORCH = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
_DTYPES = {"float32": torch.float32, "float64": torch.float64}


class Layers:
    """Outputs, final states and every gradient, and that a row is the same without the others."""

    name = "layers"

    def corpus(self) -> list[Case]:
        return stored(self.name)

    def draw(self, random: Random) -> Case:
        cell = random.choice(list(CELLS))
        form = random.choice(["padded", "padded", "packed", "full"])
        shortest = 1 if form == "packed" else 0
        lengths = [random.randint(shortest, 9) for _ in range(random.choice([1, 2, 3, 5, 17]))]
        if form == "full":
            lengths = [random.randint(1, 9)] * len(lengths)
        spec = {
            "cell": cell,
            "form": form,
            "input_size": random.choice(_SIZES),
            "hidden_size": random.choice(_SIZES[1:] if cell == "scrn" else _SIZES),
            "num_layers": random.choice([1, 1, 2, 3]),
            "bidirectional": random.random() < 0.4,
            "bias": random.random() < 0.7,
            "batch_first": random.random() < 0.5,
            "dtype": random.choice(list(_DTYPES)),
            "lengths": lengths,
            "state": random.random() < 0.6,
            "tier": random.choice(kernels.supported_tiers()),
            "threads": random.choice([1, 2]),
            "seed": random.randrange(2**31),
        }
        return Case("layer.json", json.dumps(spec).encode())

    def check(self, case: Case, folder: Path) -> None:
        spec = json.loads(case.content)
        if spec["tier"] not in kernels.supported_tiers():
            return
        threads = torch.get_num_threads()
        torch.set_num_threads(spec["threads"])
        try:
            with kernels.use_tier(spec["tier"]):
                _Comparison(spec).run()
        finally:
            torch.set_num_threads(threads)


class _Comparison:
    """One layer, its inputs and the weights of the loss, all from the seed of the case."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self._spec = spec
        self._generator = torch.Generator().manual_seed(spec["seed"])
        self._dtype = _DTYPES[spec["dtype"]]
        names = ("input_size", "hidden_size", "num_layers", "bidirectional", "bias", "batch_first")
        self._layer = CELLS[spec["cell"]](**{name: spec[name] for name in names}, dtype=self._dtype)
        with torch.no_grad():
            for parameter in self._layer.parameters():
                parameter.copy_(self._random(*parameter.shape) / max(1, parameter.shape[-1]) ** 0.5)
        self._rows = [self._random(length, spec["input_size"]).requires_grad_() for length in spec["lengths"]]
        self._states = [self._state(like) for like in self._final_states()]

    def run(self) -> None:
        output, finals = self._ours()
        expected_output, expected_finals = self._expected()
        cotangents = [self._random(*part.shape) for part in (*output, *finals)]
        for actual, expected in zip((*output, *finals), (*expected_output, *expected_finals), strict=True):
            close(actual, expected.to(self._dtype), kind="kernel")
        leaves = self._leaves()
        gradients = _gradients([*output, *finals], cotangents, leaves)
        expected_gradients = _gradients([*expected_output, *expected_finals], cotangents, leaves)
        for actual, expected in zip(gradients, expected_gradients, strict=True):
            scale = max(1.0, float(expected.abs().max())) if expected.numel() else 1.0
            close(actual / scale, expected.to(self._dtype) / scale, kind="kernel")
        self._check_rows_alone(output)

    def _random(self, *size: int) -> Tensor:
        return torch.randn(*size, generator=self._generator, dtype=self._dtype)

    def _final_states(self) -> tuple[Tensor, ...]:
        """Zeros in the size of the states."""
        spec = self._spec
        steps = torch.zeros(1, len(spec["lengths"]), spec["input_size"], dtype=self._dtype)
        steps = steps.transpose(0, 1) if spec["batch_first"] else steps
        return _as_tuple(self._layer(steps)[1])

    def _state(self, like: Tensor) -> Tensor:
        values = self._random(*like.shape) if self._spec["state"] else torch.zeros_like(like)
        return values.detach().requires_grad_()

    def _leaves(self) -> list[Tensor]:
        states = self._states if self._spec["state"] else []
        return [*self._rows, *states, *self._layer.parameters()]

    def _ours(self) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        spec = self._spec
        batch_first = spec["batch_first"]
        padded = torch.nn.utils.rnn.pad_sequence(self._rows, batch_first=batch_first)
        hx = None
        if spec["state"]:
            hx = self._states[0] if len(self._states) == 1 else tuple(self._states)
        if spec["form"] == "packed":
            packed = pack_padded_sequence(padded, spec["lengths"], batch_first, enforce_sorted=False)
            output, finals = self._layer(packed, hx)
            output, _ = pad_packed_sequence(output, batch_first)
        elif spec["form"] == "full":
            output, finals = self._layer(padded, hx)
        else:
            output, finals = self._layer(padded, hx, lengths=spec["lengths"])
        by_row = output if batch_first else output.transpose(0, 1)
        pairs = zip(by_row, spec["lengths"], strict=True)
        return [row[:length] for row, length in pairs], _as_tuple(finals)

    def _expected(self) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        if self._spec["cell"] in _TORCH:
            return self._by_torch()
        outputs, finals = by_hand(self._spec["cell"], self._layer, self._rows, self._states)
        width = self._layer.output_size
        return [output if len(output) else output.new_zeros(0, width) for output in outputs], tuple(finals)

    def _by_torch(self) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        spec, layer = self._spec, self._layer
        names = ("input_size", "hidden_size", "num_layers", "bidirectional", "bias")
        peer = _TORCH[spec["cell"]](**{name: spec[name] for name in names}, dtype=self._dtype)
        parameters = dict(layer.named_parameters())
        outputs, finals = [], []
        for place, row in enumerate(self._rows):
            states = tuple(state[:, place].contiguous() for state in self._states)
            if not len(row):
                outputs.append(row.new_zeros(0, layer.output_size))
                finals.append(states)
                continue
            hx = states[0] if len(states) == 1 else states
            output, final = torch.func.functional_call(peer, parameters, (row, hx))
            outputs.append(output)
            finals.append(_as_tuple(final))
        return outputs, tuple(torch.stack(parts, 1) for parts in zip(*finals, strict=True))

    @torch.no_grad()
    def _check_rows_alone(self, output: list[Tensor]) -> None:
        for place, row in enumerate(self._rows):
            steps = row[None] if self._spec["batch_first"] else row[:, None]
            states = tuple(state[:, place : place + 1].contiguous() for state in self._states)
            alone, _ = self._layer(steps, states[0] if len(states) == 1 else states, lengths=[len(row)])
            alone = alone[0] if self._spec["batch_first"] else alone[:, 0]
            close(alone, output[place], kind="kernel")


def _as_tuple(states: Any) -> tuple[Tensor, ...]:
    return (states,) if isinstance(states, Tensor) else tuple(states)


def _gradients(parts: list[Tensor], cotangents: list[Tensor], leaves: list[Tensor]) -> list[Tensor]:
    loss = sum(((part * cotangent).sum() for part, cotangent in zip(parts, cotangents, strict=True)), torch.zeros(()))
    return list(torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True))
