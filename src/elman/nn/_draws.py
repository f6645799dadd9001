"""Where random numbers come from: torch's global generator, or in training one that belongs to the run."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Generator, Tensor

_generator: ContextVar[Generator | None] = ContextVar("generator", default=None)  # each thread has its own


@contextmanager
def drawing_from(generator: Generator) -> Iterator[None]:
    """Inside, start values, dropout and zoneout of `elman.nn` are drawn from this generator, in this thread alone.

    For the same seed they are the numbers that torch's global generator gives. The global one is neither read nor
    changed, so that training in several threads at once is as repeatable as in one. What a module of another library
    draws still comes from the global one.

    Args:
        generator: on the device of the tensors that are drawn.
    """
    before = _generator.set(generator)
    try:
        yield
    finally:
        _generator.reset(before)


def current_generator() -> Generator | None:
    """That of the enclosing `drawing_from`, for the argument `generator` of torch's functions; None: the global one."""
    return None if torch.compiler.is_dynamo_compiling() else _generator.get()


@contextmanager
def repeated_draws(like: Tensor) -> Iterator[None]:
    """What is drawn inside, on the device of a tensor, is drawn again afterwards."""
    generator = current_generator()
    if generator is None:
        with torch.random.fork_rng(devices=[like.device] if like.is_cuda else []):
            yield
        return
    state = generator.get_state()
    try:
        yield
    finally:
        generator.set_state(state)


def dropout(x: Tensor, rate: float, training: bool = True) -> Tensor:
    """`torch.nn.functional.dropout` with the mask from the current generator."""
    generator = current_generator()
    if generator is None or not training or not 0 < rate < 1 or not x.numel():
        return torch.nn.functional.dropout(x, rate, training)
    mask = torch.empty_like(x).bernoulli_(1 - rate, generator=generator)
    return x * mask.div_(1 - rate)


class Linear(torch.nn.Linear):
    """`torch.nn.Linear` whose start values are drawn from the current generator; the same numbers."""

    def reset_parameters(self) -> None:
        generator = current_generator()
        torch.nn.init.kaiming_uniform_(self.weight, a=5**0.5, generator=generator)
        if self.bias is not None:
            bound = self.in_features**-0.5 if self.in_features else 0.0
            torch.nn.init.uniform_(self.bias, -bound, bound, generator=generator)
