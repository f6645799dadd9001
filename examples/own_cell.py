"""A recurrent cell of one's own, in a dozen lines, over texts of any length, in both directions, truncated or not."""

import torch

from elman.nn import Recurrence


class Forgetful(torch.nn.Module):
    """A minimal gated unit: one gate both forgets and lets in (Zhou et al. 2016)."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gate = torch.nn.Linear(input_size + hidden_size, hidden_size)
        self.candidate = torch.nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x_t, h):
        f = torch.sigmoid(self.gate(torch.cat([x_t, h], 1)))
        h = (1 - f) * h + f * torch.tanh(self.candidate(torch.cat([x_t, f * h], 1)))
        return h, h


torch.manual_seed(0)
x = torch.randn(3, 10, 8, requires_grad=True)
both = Recurrence(Forgetful(8, 16), 8, 16, reverse_cell=Forgetful(8, 16), batch_first=True)
output, h_n = both(x, lengths=[10, 0, 4])
print("output", tuple(output.shape), "final states", tuple(h_n.shape))

for truncate in (None, 3):
    layer = Recurrence(Forgetful(8, 16), 8, 16, batch_first=True, bptt_truncate=truncate)
    (gradient,) = torch.autograd.grad(layer(x)[0][0, -1].sum(), x)
    reached = gradient[0].norm(dim=1).count_nonzero().item()
    print(f"bptt_truncate={truncate}: the last output's loss reaches {reached} steps")
