"""Who else takes part in a computation, and so has to see torch's own operators instead of the kernels."""

import torch
from torch.autograd import forward_ad


def is_transformed() -> bool:
    """Whether torch.func's transforms are at work, or gradients in forward mode."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def is_traced() -> bool:
    """Whether torch.jit.trace, or an exporter that traces, writes down what is called."""
    return torch._C._get_tracing_state() is not None
