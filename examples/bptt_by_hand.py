"""Back-propagation through time written out: where the gradient of a last output goes, and what truncation cuts off.

A SimpleRNN reads 30 steps; the loss is on the last output. The norm of the input's gradient at each lag shows how far
back the network can learn: it falls with the recurrent weights' size, and is cut to nothing beyond bptt_truncate.
"""

import torch

from elman.ops import Options, Weights, reference

torch.manual_seed(0)
steps, size = 30, 16
x = torch.randn(steps, size, dtype=torch.float64)
one_row = torch.ones(steps, dtype=torch.int64)
h_0 = torch.zeros(1, size, dtype=torch.float64)
doutput = torch.zeros(steps, size, dtype=torch.float64)
doutput[-1] = 1.0

for gain in (0.5, 1.0):
    weight_hh = gain * torch.linalg.qr(torch.randn(size, size, dtype=torch.float64))[0]
    weights = Weights(0.1 * torch.eye(size, dtype=torch.float64), weight_hh)
    for truncate in (None, 10):
        upstream = doutput, (torch.zeros_like(h_0),)
        gradients = reference.recurrent_backward(
            "rnn_tanh", *upstream, x, one_row, (h_0,), weights, options=Options(bptt_truncate=truncate)
        )
        norms = gradients.dx.norm(dim=1).flip(0)
        print(f"recurrent weights {gain} x orthogonal, truncated at {truncate}:")
        print("   gradient by lag", "  ".join(f"{lag}: {norms[lag]:.1e}" for lag in (0, 5, 10, 11, 20, 29)))
