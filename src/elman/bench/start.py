"""Initial values of a whole network; those of a layer alone are its own `init`."""

import torch

from ..nn import current_generator, identity
from .network import SequenceNetwork


def sparse_tanh(network: SequenceNetwork) -> None:
    """W_ih, W_hy ~ N(0, 0.01), biases 0, 15 entries in each row of W_hh, its spectral radius 0.95.

    Pascanu, Mikolov & Bengio 2013, supplement ("smart tanh"), after Sutskever et al. 2011.
    """
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_() if parameter.dim() == 1 else parameter.normal_(0, 0.01, generator=current_generator())
        matrix = network.get_parameter("layer.weight_hh_l0")
        for row in matrix:
            row[torch.randperm(len(row), generator=current_generator())[15:]] = 0
        matrix.mul_(0.95 / torch.linalg.eigvals(matrix).abs().max())


def wide_identity(network: SequenceNetwork) -> None:
    """The identity start of Le, Jaitly & Hinton 2015 with W_ih ~ N(0, 0.03), thirty times as wide.

    Adam's first step moves every weight by the learning rate, whatever the gradient, and so writes over weights of
    0.001: on adding at 400 with `irnn-wide`'s settings, after 100 updates, the correlation of W_ih with its start is
    0.47, and with 0.03 it is 0.999.
    """
    identity(network.layer, input_std=0.03)
