"""Whether a layer can be made of its arguments; in torch.nn's words, for those who look for them."""

from numbers import Integral
from typing import Any

from ..errors import ArgumentTypeError, UsageError
from ..settings import within


def check_arguments(
    input_size: Any, hidden_size: Any, num_layers: Any, bias: Any, batch_first: Any, dropout: Any
) -> None:
    """Raises UsageError for what no layer can be made of, ArgumentTypeError where it is of another type."""
    for name, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
        check_size(name, size)
    for name, choice in (("bias", bias), ("batch_first", batch_first)):
        if not isinstance(choice, bool):
            raise ArgumentTypeError(f"{name} should be of type bool, got: {type(choice).__name__} {choice!r}")
    within("dropout", dropout, 0, 1)


def check_size(name: str, size: Any) -> None:
    if not isinstance(size, Integral):
        raise ArgumentTypeError(f"{name} should be of type int, got: {type(size).__name__} {size!r}")
    if int(size) < 1:
        raise UsageError(f"{name} must be greater than zero, got {size}")


def check_projection(proj_size: Any, hidden_size: int) -> None:
    """The same for the size of an LSTM's projection; 0 for none."""
    if not isinstance(proj_size, Integral):
        raise ArgumentTypeError(f"proj_size should be of type int, got: {type(proj_size).__name__} {proj_size!r}")
    if int(proj_size) < 0:
        raise UsageError(f"proj_size has to be a positive integer or zero to disable projections, got {proj_size}")
    if int(proj_size) >= hidden_size:
        raise UsageError(f"proj_size has to be smaller than hidden_size {hidden_size}, got {proj_size}")
