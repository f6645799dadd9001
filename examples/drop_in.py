"""elman.nn layers in place of torch.nn's: the same weights, the same numbers, and lengths instead of packing."""

import torch

import elman.nn

torch.manual_seed(0)
theirs = torch.nn.LSTM(8, 16, num_layers=2, bidirectional=True, batch_first=True)
ours = elman.nn.LSTM(8, 16, num_layers=2, bidirectional=True, batch_first=True)
ours.load_state_dict(theirs.state_dict())

x = torch.randn(3, 10, 8)
print("same numbers:", torch.allclose(ours(x)[0], theirs(x)[0], atol=1e-6))

lengths = [10, 0, 4]  # any order, zeros too; what stands in the padding does not matter
output, (h_n, c_n) = ours(x, lengths=lengths)
print(
    "zero beyond the length:", bool((output[2, 4:] == 0).all()), "| final states:", tuple(h_n.shape), tuple(c_n.shape)
)
