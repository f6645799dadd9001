"""Initial values that papers on long memory used; each changes a new network in place."""

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
        matrix *= 0.95 / torch.linalg.eigvals(matrix).abs().max()


def identity(network: SequenceNetwork) -> None:
    """W_hh = 1, biases 0, W_ih ~ N(0, 0.001): the IRNN of Le, Jaitly & Hinton 2015, section 3."""
    with torch.no_grad():
        matrix = network.get_parameter("layer.weight_hh_l0")
        matrix.copy_(torch.eye(len(matrix)))
        network.get_parameter("layer.weight_ih_l0").normal_(0, 0.001)
        for name, parameter in network.layer.named_parameters():
            if name.startswith("bias"):
                parameter.zero_()
