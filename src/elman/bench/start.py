"""Initial values of a whole network; those of a layer alone are its own `init`."""

import torch

from .network import SequenceNetwork


def sparse_tanh(network: SequenceNetwork) -> None:
    """W_ih, W_hy ~ N(0, 0.01), biases 0, 15 entries in each row of W_hh, its spectral radius 0.95.

    Pascanu, Mikolov & Bengio 2013, supplement ("smart tanh"), after Sutskever et al. 2011.
    """
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_() if parameter.dim() == 1 else parameter.normal_(0, 0.01)
        matrix = network.get_parameter("layer.weight_hh_l0")
        for row in matrix:
            row[torch.randperm(len(row))[15:]] = 0
        matrix.mul_(0.95 / torch.linalg.eigvals(matrix).abs().max())
